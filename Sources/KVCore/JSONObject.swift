/// A JSON object as it is written (RFC 8259): members under names, in order.
public struct JSONObject: Sendable, CustomStringConvertible {
  private var text = "{"

  /// An object without members.
  public init() {}

  /// Adds a string.
  public mutating func add(_ name: String, _ value: String) { member(name, JSONText.quoted(value)) }

  /// Adds an integer.
  public mutating func add(_ name: String, _ value: Int) { member(name, "\(value)") }

  /// Adds a truth value.
  public mutating func add(_ name: String, _ value: Bool) { member(name, "\(value)") }

  /// Adds an object, which need not be flat.
  public mutating func add(_ name: String, _ value: JSONObject) { member(name, value.description) }

  /// Adds an array of objects.
  public mutating func add(_ name: String, _ values: [JSONObject]) {
    member(name, "[\(values.map(\.description).joined(separator: ","))]")
  }

  /// Adds an array of strings.
  public mutating func add(_ name: String, _ values: [String]) {
    member(name, "[\(values.map(JSONText.quoted).joined(separator: ","))]")
  }

  /// The object as text.
  public var description: String { "\(text)}" }

  /// The object in UTF-8.
  public var bytes: [UInt8] { Array(description.utf8) }

  private mutating func member(_ name: String, _ value: String) {
    if text != "{" { text += "," }
    text += "\(JSONText.quoted(name)):\(value)"
  }
}
