import KVCore
import KVHTTP

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

extension ListRequest {
  /// The listing that a head asks for, or nil where it asks for a key.
  package init?(_ head: HTTPRequestHead) throws(Failure) {
    guard head.method == "GET", let query = head.target.query else { return nil }
    var start: [UInt8] = []
    var limit = Self.keysDefault
    var isList = false
    for part in query.split(separator: UInt8(ascii: "&")) {
      let pair = part.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      let value = pair.count > 1 ? Array(pair[1]) : []
      switch PrintableText.escape(Array(pair[0])) {
      case "list": isList = true
      case "start": start = try Self.decoded(value)
      case "limit": limit = try Self.limit(value)
      default: break
      }
    }
    guard isList else { return nil }
    let prefix: [UInt8]
    do throws(HTTPSyntaxError) { prefix = try head.target.keyBytes() } catch { throw Failure(error) }
    self.init(prefix: prefix, start: start, limit: limit, relayed: try PeerProtocol.mark(head.fields))
  }

  /// The head by which one node asks another for its part.
  package func head(to peer: Peer, mark: RelayMark) -> HTTPRequestHead {
    var head = head()
    head.fields = PeerProtocol.fields(to: peer, mark: mark)
    return head
  }

  /// The head by which a client asks, without any field.
  package func head() -> HTTPRequestHead {
    var query = Array("list&limit=\(limit)".utf8)
    if !start.isEmpty { query += Array("&start=".utf8) + PercentCoding.encode(start) }
    return HTTPRequestHead(method: "GET", target: HTTPTarget(key: prefix, query: query))
  }

  private static func decoded(_ value: [UInt8]) throws(Failure) -> [UInt8] {
    do throws(HTTPSyntaxError) { return try PercentCoding.decode(value.span) } catch { throw Failure(error) }
  }

  private static func limit(_ value: [UInt8]) throws(Failure) -> Int {
    guard let limit = Int(decimalDigits: PrintableText.escape(value)), (1...keysMax).contains(limit) else {
      throw Failure(.badRequest, "limit= is not a number from 1 to \(keysMax)")
    }
    return limit
  }
}

/// How a node is asked what it is and how it does: `GET /?status`.
package enum StatusRequest {
  /// Whether a head asks for the status.
  package static func matches(_ head: HTTPRequestHead) -> Bool {
    head.method == "GET" && head.target.path == [UInt8(ascii: "/")] && head.target.query == Array("status".utf8)
  }

  /// The head of such a request. It carries no mark: nodes that disagree about the peer list answer it too.
  package static func head(to address: PeerAddress) -> HTTPRequestHead {
    HTTPRequestHead(
      method: "GET", target: HTTPTarget(key: [], query: Array("status".utf8)), fields: ["Host": "\(address)"])
  }
}
