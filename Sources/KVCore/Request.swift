/// What a client or another node asks of this one about a key, in whatever dialect it was said.
public struct Request: Equatable, Sendable {
  /// What is asked.
  public let operation: Operation
  /// About which key.
  public let key: Key
  /// Where the request's body ends; `.none` for all but PUT.
  public var body = BodyFraming.none
  /// How many bytes the value is meant to have, where that was said. A classic PUT may say so and is still
  /// ended by the end of the stream.
  public var valueBytes: Int?
  /// What a value to be stored is said to be, where that was said.
  public var contentType: ContentType?
  /// Under which conditions the request is to be carried out.
  public var preconditions = Preconditions()
  /// The Range field as it was sent.
  public var range: String?
  /// Set when another node relayed the request.
  public var relayed: RelayMark?

  /// The request in words, for errors: `GET mykey`.
  public var subject: String { "\(operation.rawValue) \(key)" }

  /// A request without any of its options.
  public init(_ operation: Operation, _ key: Key) {
    self.operation = operation
    self.key = key
  }
}
