/// How a client speaks on the one port.
package enum Dialect: Equatable, Sendable {
  /// One line, then the value: what `nc` sends.
  case classic
  /// HTTP/1.0 or HTTP/1.1.
  case http

  /// Tells from the first line, its LF excluded: HTTP is what ends in ` HTTP/` and a version.
  package init(firstLine: ArraySlice<UInt8>) {
    let line = firstLine.last == UInt8(ascii: "\r") ? firstLine.dropLast() : firstLine
    let version = line.suffix(9)
    let isHTTP =
      version.count == 9 && version.starts(with: " HTTP/".utf8)
      && version.dropFirst(6).elementsEqual([
        version[version.endIndex - 3], UInt8(ascii: "."), version[version.endIndex - 1],
      ])
    self = isHTTP ? .http : .classic
  }

  /// Whether bytes that no LF has ended yet begin as an HTTP request does: a word, a space and a slash. A classic
  /// line may begin so too, but one that goes on past its limit is in error either way.
  package static func beginsAsHTTP(_ bytes: ArraySlice<UInt8>) -> Bool {
    guard let space = bytes.firstIndex(of: UInt8(ascii: " ")), space > bytes.startIndex else { return false }
    return bytes.dropFirst(space - bytes.startIndex + 1).first == UInt8(ascii: "/")
  }
}
