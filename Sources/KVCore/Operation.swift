/// What a client may ask for about one key.
public enum Operation: String, Sendable, CaseIterable {
  case put = "PUT"
  case get = "GET"
  /// What GET would answer, without the value.
  case head = "HEAD"
  case delete = "DEL"

  /// The operation's method in HTTP.
  public var method: String { self == .delete ? "DELETE" : rawValue }

  /// The operation of a method, or nil for one that kvnode does not have.
  public init?(method: String) {
    guard let operation = Self.allCases.first(where: { $0.method == method }) else { return nil }
    self = operation
  }
}
