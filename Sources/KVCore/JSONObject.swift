/// A flat JSON object as it is written (RFC 8259): strings and integers under names, in order.
public struct JSONObject: Sendable {
  private var text = "{"

  /// An object without members.
  public init() {}

  /// Adds a string.
  public mutating func add(_ name: String, _ value: String) { member(name, "\"\(Self.escaped(value))\"") }

  /// Adds an integer.
  public mutating func add(_ name: String, _ value: Int) { member(name, "\(value)") }

  /// The object in UTF-8.
  public var bytes: [UInt8] { Array("\(text)}".utf8) }

  private mutating func member(_ name: String, _ value: String) {
    if text != "{" { text += "," }
    text += "\"\(Self.escaped(name))\":\(value)"
  }

  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": escaped += "\\\""
      case "\\": escaped += "\\\\"
      case "\u{0}"..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        escaped += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}
