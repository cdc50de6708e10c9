/// A status line and its fields (RFC 9112 sections 4 and 5).
package struct HTTPResponseHead: Equatable, Sendable {
  /// The status code, 100 to 599.
  package var status: Int
  /// The version in the status line.
  package var version: HTTPVersion
  /// The fields in order.
  package var fields: HTTPFields

  /// A response of our own.
  package init(status: Int, version: HTTPVersion = .http11, fields: HTTPFields = [:]) {
    self.status = status
    self.version = version
    self.fields = fields
  }

  /// Reads a head from the first byte of a message on; what follows its blank line is not looked at.
  ///
  /// The reason phrase is checked and dropped: it means nothing to a program (RFC 9112 section 4).
  package static func parse(_ bytes: Span<UInt8>) throws(HTTPSyntaxError) -> HTTPParsed<HTTPResponseHead> {
    guard let lines = try HTTPHeadLines.scan(bytes) else { return .needMore }
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
  package var keepAlive: Bool { fields.keepsConnectionAlive(in: version) }

  /// The head as it goes over the wire, its blank line included. Traps if the status is not in 100 to 599.
  package func encoded() -> [UInt8] {
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

/// The status codes that kvnode sends and what they are called (RFC 9110 section 15; 431 is RFC 6585, 507 RFC 4918).
package enum HTTPStatus {
  /// The reason phrase of a status code; empty, which is allowed, for a code that kvnode does not send.
  package static func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 100: "Continue"
    case 200: "OK"
    case 201: "Created"
    case 204: "No Content"
    case 206: "Partial Content"
    case 304: "Not Modified"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 422: "Unprocessable Content"
    case 413: "Content Too Large"
    case 416: "Range Not Satisfiable"
    case 421: "Misdirected Request"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 505: "HTTP Version Not Supported"
    case 507: "Insufficient Storage"
    default: ""
    }
  }
}
