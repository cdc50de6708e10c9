/// What a value is said to be (RFC 9110 section 8.3). kvnode hands it back as it came and does not look into it.
public struct ContentType: Equatable, Sendable, CustomStringConvertible {
  /// The extended attribute that holds it; absent where it is the default.
  public static let attributeName = "user.kvnode.type"
  /// The longest that is kept, in bytes.
  public static let bytesMax = 255
  /// What values are that nothing was said of (RFC 9110 section 8.3).
  public static let standard = ContentType(unchecked: "application/octet-stream")

  /// The field's value.
  public let description: String

  /// Takes printable ASCII of at most 255 bytes; nil for anything else.
  public init?(_ text: String) {
    guard (1...Self.bytesMax).contains(text.utf8.count), text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }),
      text.utf8.first != 0x20, text.utf8.last != 0x20
    else { return nil }
    description = text
  }

  /// Reads the extended attribute.
  public init?(decoding bytes: [UInt8]) { self.init(String(decoding: bytes, as: UTF8.self)) }

  private init(unchecked description: String) { self.description = description }
}
