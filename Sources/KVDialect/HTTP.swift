import KVCore
import KVHTTP

/// The HTTP dialect: how its requests are read and its responses written. docs/protocol.md specifies it.
package enum HTTPDialect {
  /// What 100 (Continue) looks like: the owner has agreed to take the value.
  package static let continueHead = HTTPResponseHead(status: 100).encoded()

  private static let methods = Operation.allCases.map(\.method).joined(separator: ", ")

  /// The request in a head.
  package static func request(_ head: HTTPRequestHead) throws(Failure) -> Request {
    if StatusRequest.matches(head) { return .status }
    if let list = try ListRequest(head) { return .list(list) }
    return .value(try valueRequest(head))
  }

  /// The request about a key in a head.
  package static func valueRequest(_ head: HTTPRequestHead) throws(Failure) -> ValueRequest {
    guard let operation = Operation(method: head.method) else {
      throw Failure(.methodNotAllowed, "\(head.method) is not supported (only \(methods))")
    }
    var request = ValueRequest(operation, try key(head.target))
    do throws(HTTPSyntaxError) { request.body = try head.bodyFraming() } catch { throw Failure(error) }
    try checkBody(request)
    request.valueBytes = try PeerProtocol.statedValueBytes(head.fields)
    if case .length(let byteCount) = request.body { request.valueBytes = byteCount }
    request.relayed = try PeerProtocol.mark(head.fields)
    request.preconditions = Preconditions(head.fields)
    if operation == .get { request.range = head.fields["Range"] }
    if operation == .put {
      try checkWhole(head.fields, request.key)
      request.contentType = try contentType(head.fields, request.key)
    }
    return request
  }

  /// The head, or the whole, of a response; a value's bytes follow. `headOnly` answers HEAD.
  package static func encode(_ response: Response, keepAlive: Bool, headOnly: Bool, now: HTTPDate) -> [UInt8] {
    var (head, text) = parts(response)
    if !text.isEmpty && !head.fields.contains("Content-Type") {
      head.fields.append("Content-Type", "text/plain; charset=utf-8")
    }
    if head.status != 204 && head.status != 304 && !head.fields.contains("Content-Length") {
      head.fields.append("Content-Length", "\(text.count)")
    }
    head.fields.append("Date", now.formatted)
    head.fields.append("Server", "kvnode")
    if !keepAlive { head.fields.append("Connection", "close") }
    return headOnly ? head.encoded() : head.encoded() + text
  }

  private static func key(_ target: HTTPTarget) throws(Failure) -> Key {
    do throws(HTTPSyntaxError) {
      let bytes = try target.keyBytes()
      do throws(KeyError) { return try Key(bytes) } catch { throw .bad(error.description) }
    } catch {
      throw Failure(error)
    }
  }

  private static func checkBody(_ request: ValueRequest) throws(Failure) {
    switch (request.operation, request.body) {
    case (.put, .none): throw Failure(.lengthRequired, "PUT \(request.key): neither Content-Length nor chunked")
    case (.put, _), (_, .none), (_, .length(0)): return
    default: throw Failure(.badRequest, "\(request.operation.method) \(request.key): a body makes no sense here")
    }
  }

  /// A part must not be taken for the whole value (RFC 9110 section 14.5).
  private static func checkWhole(_ fields: HTTPFields, _ key: Key) throws(Failure) {
    guard !fields.contains("Content-Range") else {
      throw Failure(.badRequest, "PUT \(key): a part of a value (Content-Range) cannot be stored, only a whole one")
    }
  }

  private static func contentType(_ fields: HTTPFields, _ key: Key) throws(Failure) -> ContentType? {
    guard let text = fields["Content-Type"] else { return nil }
    guard let contentType = ContentType(text) else {
      throw Failure(
        .badRequest, "PUT \(key): the Content-Type is not printable ASCII of 1 to \(ContentType.bytesMax) bytes")
    }
    return contentType
  }

  private static func parts(_ response: Response) -> (head: HTTPResponseHead, text: [UInt8]) {
    switch response {
    case .stored(_, let checksum, let created):
      var fields: HTTPFields = [:]
      appendEntityTag(checksum, to: &fields)
      return (HTTPResponseHead(status: created ? 201 : 204, fields: fields), [])
    case .value(let value): return (head(of: value), [])
    case .notModified(let value):
      var fields: HTTPFields = ["Last-Modified": value.modifiedAt.formatted]
      appendEntityTag(value.checksum, to: &fields)
      return (HTTPResponseHead(status: 304, fields: fields), [])
    case .rangeNotSatisfiable(let byteCount):
      let fields: HTTPFields = ["Content-Range": ContentRange.unsatisfied(byteCount: byteCount)]
      let text = "no byte of the value lies in the range: it has \(byteCount) bytes\n"
      return (HTTPResponseHead(status: 416, fields: fields), Array(text.utf8))
    case .deleted(let key, let existed):
      return existed ? (HTTPResponseHead(status: 204), []) : parts(.failure(.absent(.delete, key)))
    case .json(let text):
      return (HTTPResponseHead(status: 200, fields: ["Content-Type": "application/json"]), text)
    case .failure(let failure): return (head(of: failure), Array("\(failure.message)\n".utf8))
    }
  }

  private static func head(of value: ValueHead) -> HTTPResponseHead {
    var fields: HTTPFields = [
      "Content-Length": "\(value.offsets.count)", "Content-Type": value.contentType.description,
      "Last-Modified": value.modifiedAt.formatted, "Accept-Ranges": "bytes",
    ]
    appendEntityTag(value.checksum, to: &fields)
    guard let range = value.range else { return HTTPResponseHead(status: 200, fields: fields) }
    fields.append("Content-Range", ContentRange.format(range, of: value.byteCount))
    return HTTPResponseHead(status: 206, fields: fields)
  }

  private static func head(of failure: Failure) -> HTTPResponseHead {
    var fields: HTTPFields = [:]
    if failure.kind == .unavailable { fields.append("Retry-After", "1") }
    if failure.kind == .methodNotAllowed { fields.append("Allow", methods) }
    return HTTPResponseHead(status: failure.kind.rawValue, fields: fields)
  }

  private static func appendEntityTag(_ checksum: ValueChecksum?, to fields: inout HTTPFields) {
    if let checksum { fields.append("ETag", "\"\(checksum)\"") }
  }
}

extension Failure {
  /// What is told to whoever sent malformed HTTP.
  package init(_ error: HTTPSyntaxError) {
    self.init(Kind(rawValue: error.status) ?? .badRequest, error.reason)
  }
}
