/// The versions of HTTP that have this message syntax (RFC 9112 section 2.3).
public enum HTTPVersion: String, Equatable, Sendable {
  case http10 = "HTTP/1.0"
  case http11 = "HTTP/1.1"

  /// Reads exactly `HTTP/1.0` or `HTTP/1.1`; the case of the letters counts.
  static func parse(_ bytes: Span<UInt8>) throws(HTTPSyntaxError) -> HTTPVersion {
    if matches(bytes, HTTPVersion.http11) { return .http11 }
    if matches(bytes, HTTPVersion.http10) { return .http10 }
    if hasVersionShape(bytes) {
      throw .unsupportedVersion("\(HTTPSyntaxError.quote(bytes)) is not served, only HTTP/1.0 and HTTP/1.1")
    }
    throw .bad("\(HTTPSyntaxError.quote(bytes)) is no HTTP version")
  }

  private static func matches(_ bytes: Span<UInt8>, _ version: HTTPVersion) -> Bool {
    bytes.count == 8 && hasVersionShape(bytes) && bytes[5] == UInt8(ascii: "1")
      && bytes[7] == (version == .http11 ? UInt8(ascii: "1") : UInt8(ascii: "0"))
  }

  private static func hasVersionShape(_ bytes: Span<UInt8>) -> Bool {
    bytes.count == 8 && bytes[0] == UInt8(ascii: "H") && bytes[1] == UInt8(ascii: "T")
      && bytes[2] == UInt8(ascii: "T") && bytes[3] == UInt8(ascii: "P") && bytes[4] == HTTPByte.slash
      && HTTPByte.isDigit(bytes[5]) && bytes[6] == HTTPByte.dot && HTTPByte.isDigit(bytes[7])
  }
}
