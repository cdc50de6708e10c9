/// A status line and its fields (RFC 9112 sections 4 and 5).
public struct HTTPResponseHead: Equatable, Sendable {
  /// The status code, 100 to 599.
  public var status: Int
  /// The version in the status line.
  public var version: HTTPVersion
  /// The fields in order.
  public var fields: HTTPFields

  /// A response of our own.
  public init(status: Int, version: HTTPVersion = .http11, fields: HTTPFields = [:]) {
    self.status = status
    self.version = version
    self.fields = fields
  }

  /// Reads a head from the first byte of a message on; what follows its blank line is not looked at.
  ///
  /// The reason phrase is checked and dropped: it means nothing to a program (RFC 9112 section 4).
  public static func parse(_ bytes: Span<UInt8>) throws(HTTPSyntaxError) -> HTTPParsed<HTTPResponseHead> {
    guard let lines = try HTTPHeadLines.scan(bytes, emptyLinesMax: 0) else { return .needMore }
    var head = try parseStatusLine(bytes.extracting(lines.startLine))
    head.fields = try HTTPFields.parse(bytes, lines: lines)
    return .head(head, byteCount: lines.byteCount)
  }

  private static func parseStatusLine(_ line: Span<UInt8>) throws(HTTPSyntaxError) -> HTTPResponseHead {
    let (codeStart, codeEnd) = (9, 12)
    guard line.count > codeEnd, line[codeStart - 1] == HTTPByte.space, line[codeEnd] == HTTPByte.space else {
      throw .bad("\(HTTPSyntaxError.quote(line)) is no status line: version, three digits and reason")
    }
    let version = try HTTPVersion.parse(line.extracting(0..<(codeStart - 1)))
    var status = 0
    for index in codeStart..<codeEnd {
      guard HTTPByte.isDigit(line[index]) else {
        throw .bad("the status code of \(HTTPSyntaxError.quote(line)) is no number")
      }
      status = 10 * status + Int(line[index] - UInt8(ascii: "0"))
    }
    guard (100...599).contains(status) else { throw .bad("the status code \(status) is not in 100 to 599") }
    for index in (codeEnd + 1)..<line.count where !HTTPByte.isFieldValue(line[index]) {
      throw .bad("a control character in the reason of \(HTTPSyntaxError.quote(line))")
    }
    return HTTPResponseHead(status: status, version: version)
  }

  /// Whether the connection can take another request after this response (RFC 9112 section 9.3).
  public var keepAlive: Bool { fields.keepsConnectionAlive(in: version) }

  /// The head as it goes over the wire, its blank line included. Traps if the status is not in 100 to 599.
  public func encoded() -> [UInt8] {
    precondition((100...599).contains(status), "a status code is not in 100 to 599")
    var output: [UInt8] = []
    output.reserveCapacity(64)
    output.append(contentsOf: version.rawValue.utf8)
    output.append(HTTPByte.space)
    output.append(contentsOf: String(status).utf8)
    output.append(HTTPByte.space)
    output.append(contentsOf: HTTPStatus.reasonPhrase(status).utf8)
    output.append(HTTPByte.carriageReturn)
    output.append(HTTPByte.lineFeed)
    fields.encode(into: &output)
    return output
  }
}
