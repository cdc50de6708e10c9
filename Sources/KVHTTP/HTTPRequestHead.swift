/// A request line and its fields (RFC 9112 sections 3 and 5).
package struct HTTPRequestHead: Equatable, Sendable {
  /// The method, a token whose case counts: `GET`, `PUT`.
  package var method: String
  /// What it is about.
  package var target: HTTPTarget
  /// The version in the request line.
  package var version: HTTPVersion
  /// The fields in order.
  package var fields: HTTPFields

  /// A request of our own.
  package init(method: String, target: HTTPTarget, version: HTTPVersion = .http11, fields: HTTPFields = [:]) {
    self.method = method
    self.target = target
    self.version = version
    self.fields = fields
  }

  /// Reads a head from the first byte of a message on; what follows its blank line is not looked at.
  ///
  /// Empty lines before it are no part of it: whoever forgives them (RFC 9112 section 2.2) leaves them out.
  package static func parse(
    _ bytes: Span<UInt8>, limits: HTTPHeadLimits = .ofClients
  ) throws(HTTPSyntaxError) -> HTTPParsed<HTTPRequestHead> {
    guard let lines = try HTTPHeadLines.scan(bytes, limits: limits) else { return .needMore }
    var head = try parseRequestLine(bytes.extracting(lines.startLine))
    head.fields = try HTTPFields.parse(bytes, lines: lines)
    try head.checkHost()
    return .head(head, byteCount: lines.byteCount)
  }

  private static func parseRequestLine(_ line: Span<UInt8>) throws(HTTPSyntaxError) -> HTTPRequestHead {
    var methodEnd = 0
    while methodEnd < line.count, HTTPByte.isToken(line[methodEnd]) { methodEnd += 1 }
    var targetEnd = methodEnd + 1
    while targetEnd < line.count, line[targetEnd] != HTTPByte.space { targetEnd += 1 }
    guard methodEnd > 0, methodEnd < line.count, line[methodEnd] == HTTPByte.space, targetEnd < line.count else {
      throw .bad("\(HTTPSyntaxError.quote(line)) is no request line: method, target and version, one space between")
    }
    let version = try HTTPVersion.parse(line.extracting((targetEnd + 1)..<line.count))
    let target = try HTTPTarget.parse(line.extracting((methodEnd + 1)..<targetEnd))
    return HTTPRequestHead(
      method: String(decoding: [UInt8](copying: line, 0..<methodEnd), as: UTF8.self), target: target, version: version)
  }

  /// Exactly one Host in HTTP/1.1 and at most one in HTTP/1.0, of the bytes a host may have (RFC 9112 section 3.2).
  private func checkHost() throws(HTTPSyntaxError) {
    guard let index = fields.firstIndex(named: "host") else {
      if version == .http10 { return }
      throw .bad("an HTTP/1.1 request without a Host field")
    }
    guard fields.firstIndex(named: "host", from: index + 1) == nil else { throw .bad("more than one Host field") }
    let host = fields.bytes.span.extracting(fields.entries[index].value)
    for index in host.indices where !HTTPByte.isHost(host[index]) {
      throw .bad("the Host field \(HTTPSyntaxError.quote(host)) is no host and port")
    }
  }

  /// Whether the client wants to send another request on this connection (RFC 9112 section 9.3).
  package var keepAlive: Bool { fields.keepsConnectionAlive(in: version) }

  /// Whether the client waits for 100 (Continue) before it sends the body; never in HTTP/1.0 (RFC 9110 section 10.1.1).
  package var expectsContinue: Bool { version == .http11 && fields.contains(token: "100-continue", in: "expect") }

  /// The head as it goes over the wire, its blank line included. Traps if the method is no token.
  package func encoded() -> [UInt8] {
    precondition(!method.isEmpty && method.utf8.allSatisfy(HTTPByte.isToken), "the method is no token")
    var output: [UInt8] = []
    output.reserveCapacity(method.utf8.count + target.path.count + (target.query?.count ?? 0) + 64)
    output.append(contentsOf: method.utf8)
    output.append(HTTPByte.space)
    target.encode(into: &output)
    output.append(HTTPByte.space)
    output.append(contentsOf: version.rawValue.utf8)
    output.append(HTTPByte.carriageReturn)
    output.append(HTTPByte.lineFeed)
    fields.encode(into: &output)
    return output
  }
}
