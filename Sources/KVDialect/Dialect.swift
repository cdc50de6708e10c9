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
  /// The listing that a head asks for, or nil where it asks for something else.
  package init?(_ head: HTTPRequestHead, _ query: HTTPQuery) throws(Failure) {
    guard head.method == "GET", query.parameters.contains(where: { $0.name == "list" }) else { return nil }
    do throws(HTTPSyntaxError) { self.init(prefix: try head.target.keyBytes()) } catch { throw Failure(error) }
    for parameter in query.parameters { try read(parameter) }
    guard prefix.count <= Key.bytesMax, from.count <= Key.bytesMax else {
      throw Failure(.badRequest, "LIST: no key is longer than \(Key.bytesMax) bytes")
    }
    relayed = try PeerProtocol.mark(head.fields)
  }

  private mutating func read(_ parameter: HTTPQuery.Parameter) throws(Failure) {
    let text = PrintableText.escape(parameter.value)
    switch parameter.name {
    case "list": break
    case "start":
      guard let key = ListToken.decode(parameter.value) else {
        throw Failure(.badRequest, "start= is no \"next\" of a page; from= takes a key")
      }
      from = key
    case "from": from = parameter.value
    case "limit":
      guard let limit = Int(decimalDigits: text), (1...Self.entriesMax).contains(limit) else {
        throw Failure(.badRequest, "limit= is not a number from 1 to \(Self.entriesMax)")
      }
      self.limit = limit
    case "delimiter":
      guard (1...Self.delimiterBytesMax).contains(parameter.value.count) else {
        throw Failure(.badRequest, "delimiter= is not 1 to \(Self.delimiterBytesMax) bytes")
      }
      delimiter = parameter.value
    case "format":
      guard let format = Format(rawValue: text) else { throw Failure(.badRequest, "format= is neither json nor lines") }
      self.format = format
    case "partial":
      isPartial = try Self.truth(parameter.name, text)
    case "stranded":
      isStranded = try Self.truth(parameter.name, text)
    case "scope":
      guard ["cluster", "node"].contains(text) else {
        throw Failure(.badRequest, "scope= is neither cluster nor node")
      }
      isOwnOnly = text == "node"
    default:
      let name = HTTPSyntaxError.quote(Array(parameter.name.utf8).span)
      throw Failure(.badRequest, "LIST: the query \(name) has no meaning here")
    }
  }

  private static func truth(_ name: String, _ text: String) throws(Failure) -> Bool {
    guard ["yes", "no"].contains(text) else { throw Failure(.badRequest, "\(name)= is neither yes nor no") }
    return text == "yes"
  }

  /// The head by which one node asks another for its part.
  package func head(to peer: Peer, mark: RelayMark) -> HTTPRequestHead {
    var request = self
    (request.format, request.isPartial) = (.lines, false)
    var head = request.head()
    head.fields = PeerProtocol.fields(to: peer, mark: mark)
    return head
  }

  /// The head by which a client asks, without any field.
  package func head() -> HTTPRequestHead {
    var query = "list&limit=\(limit)"
    // The form that any key's bytes have in a query.
    if !from.isEmpty { query += "&start=\(ListToken.encode(from))" }
    if !delimiter.isEmpty { query += "&delimiter=\(String(decoding: PercentCoding.encode(delimiter), as: UTF8.self))" }
    if format != .json { query += "&format=\(format.rawValue)" }
    if isPartial { query += "&partial=yes" }
    if isStranded { query += "&stranded=yes" }
    if isOwnOnly { query += "&scope=node" }
    return HTTPRequestHead(method: "GET", target: HTTPTarget(key: prefix, query: Array(query.utf8)))
  }
}

/// How a node is asked about itself: by the path `/` alone, which names no key.
extension NodeRequest {
  /// The question in a head, or nil where it is about something else.
  package init?(_ head: HTTPRequestHead, _ query: HTTPQuery) {
    let isAsterisk = head.target.path == [HTTPByte.asterisk] && head.method == "OPTIONS"
    let isAboutNode = head.target.path == [HTTPByte.slash] || isAsterisk
    switch (head.method, isAboutNode, query.parameters.map(\.name)) {
    case ("GET", true, ["status"]), ("HEAD", true, ["status"]): self = .status
    case ("GET", true, ["layout"]), ("HEAD", true, ["layout"]): self = .layout(isBinary: false)
    case ("GET", true, ["layout", "format"]) where query.parameters[1].value == Array("binary".utf8):
      self = .layout(isBinary: true)
    case ("GET", true, ["health"]), ("HEAD", true, ["health"]): self = .health
    case ("GET", true, []), ("HEAD", true, []): self = .welcome
    case ("OPTIONS", true, _): self = .methodsOfNode
    case ("OPTIONS", false, _): self = .methods
    default: return nil
    }
  }
}

/// How a layout is asked for: `GET /?layout`.
package enum LayoutRequest {
  /// The head by which a program of this source tree asks.
  package static func head(to address: PeerAddress) -> HTTPRequestHead {
    HTTPRequestHead(
      method: "GET", target: HTTPTarget(key: [], query: Array("layout&format=binary".utf8)),
      fields: ["Host": "\(address)"])
  }
}

/// How one node asks another what it is and how it does: `GET /?status`.
package enum StatusRequest {
  /// The head by which a client asks.
  package static func head(to address: PeerAddress) -> HTTPRequestHead { head(["Host": "\(address)"]) }

  /// The head by which another node asks. Those that disagree about the peer list answer it too.
  package static func head(to peer: Peer, mark: RelayMark) -> HTTPRequestHead {
    head(PeerProtocol.fields(to: peer, mark: mark))
  }

  private static func head(_ fields: HTTPFields) -> HTTPRequestHead {
    HTTPRequestHead(method: "GET", target: HTTPTarget(key: [], query: Array("status".utf8)), fields: fields)
  }
}
