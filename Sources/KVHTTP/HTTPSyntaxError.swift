/// What is wrong with bytes that claim to be HTTP/1; the cases divide by what a server answers.
///
/// After any of them the connection's framing is lost: answer, then close.
package enum HTTPSyntaxError: Error, Equatable, Sendable {
  /// The bytes break RFC 9112 or RFC 9110: 400.
  case bad(String)
  /// A head or trailer section passes the limits: 431.
  case tooLarge(String)
  /// HTTP, but of a version other than 1.0 and 1.1: 505.
  case unsupportedVersion(String)
  /// A transfer coding other than `chunked`: 501.
  case unsupportedTransferCoding(String)

  /// The status code that tells the peer.
  package var status: Int {
    switch self {
    case .bad: 400
    case .tooLarge: 431
    case .unsupportedVersion: 505
    case .unsupportedTransferCoding: 501
    }
  }

  /// One line that says what was wrong with what; bytes of the peer in it are escaped and cut short.
  package var reason: String {
    switch self {
    case .bad(let reason), .tooLarge(let reason), .unsupportedVersion(let reason),
      .unsupportedTransferCoding(let reason):
      reason
    }
  }
}

extension HTTPSyntaxError: CustomStringConvertible {
  /// The reason.
  package var description: String { reason }
}

extension HTTPSyntaxError {
  /// Some bytes of the peer in quotes, fit for a reason: escaped, and at most 60 of them.
  package static func quote(_ bytes: Span<UInt8>) -> String {
    let shownMax = 60
    let shown = PrintableText.escape([UInt8](copying: bytes, 0..<min(bytes.count, shownMax)))
    return bytes.count > shownMax ? "'\(shown)…'" : "'\(shown)'"
  }
}
