import KVCore
import KVHTTP

/// The HTTP dialect: how its requests are read and its responses written. docs/protocol.md specifies it.
package enum HTTPDialect {
  /// What 100 (Continue) looks like: the owner has agreed to take the value.
  package static let continueHead = HTTPResponseHead(status: 100).encoded()

  /// The methods that are served.
  package static let methods = (Operation.allCases.map(\.method) + ["OPTIONS"]).joined(separator: ", ")

  /// The request in a head.
  package static func request(_ head: HTTPRequestHead, now: HTTPDate) throws(Failure) -> Request {
    try checkNothingElseIsMeant(head.fields)
    let query = try translatingError(Failure.init) { () throws(HTTPSyntaxError) in try HTTPQuery(head.target.query) }
    if let request = NodeRequest(head, query) {
      return try withoutBody(.node(request, relayed: try PeerProtocol.mark(head.fields)), head)
    }
    if let mark = try PeerProtocol.messageMark(head, query) {
      let framing = try translatingError(Failure.init) { () throws(HTTPSyntaxError) in try head.bodyFraming() }
      try checkBody(.message(mark), framing)
      return .message(mark)
    }
    if let list = try ListRequest(head, query) { return try withoutBody(.list(list), head) }
    let request = try valueRequest(head, now: now)
    try check(query, request)
    return .value(request)
  }

  private static func withoutBody(_ request: Request, _ head: HTTPRequestHead) throws(Failure) -> Request {
    try checkBody(request, try translatingError(Failure.init) { () throws(HTTPSyntaxError) in try head.bodyFraming() })
    return request
  }

  /// The request about a key in a head.
  private static func valueRequest(_ head: HTTPRequestHead, now: HTTPDate) throws(Failure) -> ValueRequest {
    guard let operation = Operation(method: head.method) else {
      throw Failure(.methodNotAllowed, "\(head.method) is not supported (only \(methods))")
    }
    var request = ValueRequest(operation, try key(head.target))
    do throws(HTTPSyntaxError) { request.body = try head.bodyFraming() } catch { throw Failure(error) }
    try checkBody(.value(request), request.body)
    request.valueBytes = try PeerProtocol.statedValueBytes(head.fields)
    if case .length(let byteCount) = request.body { request.valueBytes = byteCount }
    request.relayed = try PeerProtocol.mark(head.fields)
    request.upload = try PeerProtocol.upload(head.fields, of: request)
    if operation == .get { request.range = head.fields["Range"] }
    request.consistency = try PeerProtocol.consistency(head.fields, of: request)
    do throws(HTTPSyntaxError) {
      request.preconditions = try Preconditions(head.fields, now: now)
      if operation == .put { try readWhatIsStored(head.fields, &request) }
    } catch {
      throw Failure(.badRequest, "\(request.subject): \(error.reason)")
    }
    return request
  }

  private static func key(_ target: HTTPTarget) throws(Failure) -> Key {
    do throws(HTTPSyntaxError) {
      let bytes = try target.keyBytes()
      do throws(KeyError) { return try Key(bytes) } catch { throw .bad(error.description) }
    } catch {
      throw Failure(error)
    }
  }

  /// A body of chunks may turn out to be empty, as those of some proxies do.
  private static func checkBody(_ request: Request, _ body: BodyFraming) throws(Failure) {
    switch (request.hasBody, body) {
    case (true, .none): throw Failure(.lengthRequired, "\(request.subject): neither Content-Length nor chunked")
    case (true, _), (_, .none), (_, .length(0)), (_, .chunked): return
    default: throw .needlessBody(of: request)
    }
  }

  private static func readWhatIsStored(_ fields: HTTPFields, _ request: inout ValueRequest) throws(HTTPSyntaxError) {
    // A part must not be taken for the whole value (RFC 9110 section 14.5).
    guard !fields.contains("Content-Range") else {
      throw .bad("a part of a value (Content-Range) cannot be stored, only a whole one")
    }
    request.fields = try ValueFields(fields)
    request.digests = try StatedDigest.parse(fields)
    request.idempotencyKey = try IdempotencyKey(fields)
  }

  /// Refuses what the clients of other stores say in fields: here it would be done to the whole value, or their wrapping
  /// would be stored with it.
  private static func checkNothingElseIsMeant(_ fields: HTTPFields) throws(Failure) {
    for name in ["x-amz-copy-source", "x-amz-decoded-content-length"] where fields.contains(name) {
      throw Failure(.badRequest, "the field \(name) has no meaning here; nothing was done")
    }
    guard !fields.contains(token: "aws-chunked", in: "Content-Encoding"),
      fields["x-amz-content-sha256"]?.hasPrefix("STREAMING-") != true
    else {
      throw Failure(
        .badRequest, "a body in chunks of another protocol (aws-chunked) has no meaning here; nothing was done")
    }
  }

  /// A query means nothing to a value, and whoever sends one means something: all but the two that are only there to
  /// get past a cache.
  private static func check(_ query: HTTPQuery, _ request: ValueRequest) throws(Failure) {
    let isRead = request.operation.isRead
    guard let other = query.parameters.first(where: { !isRead || ($0.name != "v" && $0.name != "_") }) else { return }
    let name = HTTPSyntaxError.quote(Array(other.name.utf8).span)
    throw Failure(
      .badRequest,
      "\(request.operation.method) \(request.key): the query \(name) has no meaning here; nothing was done")
  }

  /// The head, or the whole, of a response; a value's bytes follow. `headOnly` answers HEAD, and `crossOrigin` is for
  /// scripts of other sites.
  package static func encode(
    _ response: Response, keepAlive: Bool, headOnly: Bool, now: HTTPDate, crossOrigin: HTTPFields = [:]
  ) -> [UInt8] {
    var (head, text) = parts(response, now: now)
    if !text.isEmpty && !head.fields.contains("Content-Type") {
      head.fields.append("Content-Type", "text/plain; charset=utf-8")
    }
    if head.status != 204 && head.status != 304 && !head.fields.contains("Content-Length") {
      head.fields.append("Content-Length", "\(text.count)")
    }
    head.fields.append("Date", now.formatted)
    head.fields.append("Server", "kvnode")
    for field in crossOrigin { head.fields.append(field.name, field.value) }
    if !keepAlive { head.fields.append("Connection", "close") }
    return headOnly ? head.encoded() : head.encoded() + text
  }

  private static func parts(_ response: Response, now: HTTPDate) -> (head: HTTPResponseHead, text: [UInt8]) {
    switch response {
    case .stored(_, let checksum, let created):
      var fields: HTTPFields = [:]
      appendEntityTag(checksum, to: &fields)
      return (HTTPResponseHead(status: created.map { $0 ? 201 : 204 } ?? 200, fields: fields), [])
    case .value(let value): return (head(of: value, now: now), [])
    case .notModified(let value):
      var fields: HTTPFields = [:]
      appendWhatTellsVersions(value, now: now, to: &fields)
      value.fields.appendOthers(to: &fields)
      value.fields.appendStandardCacheControl(to: &fields)
      return (HTTPResponseHead(status: 304, fields: fields), [])
    case .rangeNotSatisfiable(let byteCount):
      let fields: HTTPFields = [
        "Content-Range": ContentRange.unsatisfied(byteCount: byteCount), "Cache-Control": "no-store",
      ]
      let text = "the range is not within the value, which has \(Counted(byteCount, "byte"))\n"
      return (HTTPResponseHead(status: 416, fields: fields), Array(text.utf8))
    case .deleted(let key, let existed):
      return existed ? (HTTPResponseHead(status: 204), []) : parts(.failure(.absent(.delete, key)), now: now)
    case .json(let text):
      let fields: HTTPFields = ["Content-Type": "application/json", "Cache-Control": "no-store"]
      return (HTTPResponseHead(status: 200, fields: fields), text)
    case .message(let bytes):
      let fields: HTTPFields = ["Content-Type": "application/octet-stream", "Cache-Control": "no-store"]
      return (HTTPResponseHead(status: 200, fields: fields), bytes)
    case .text(let text):
      return (HTTPResponseHead(status: 200, fields: ["Cache-Control": "no-store"]), Array(text.utf8))
    case .methods:
      return (HTTPResponseHead(status: 204, fields: ["Allow": methods, "Cache-Control": "no-store"]), [])
    case .failure(let failure): return (head(of: failure), Array("\(failure.message)\n".utf8))
    }
  }

  private static func head(of value: ValueHead, now: HTTPDate) -> HTTPResponseHead {
    var fields: HTTPFields = ["Content-Length": "\(value.offsets.count)"]
    value.fields.append(to: &fields)
    value.fields.appendStandardCacheControl(to: &fields)
    appendWhatTellsVersions(value, now: now, to: &fields)
    fields.append("Accept-Ranges", "bytes")
    if let upload = value.upload { fields.append(PeerProtocol.uploadField, PeerProtocol.text(upload)) }
    guard let range = value.range else { return HTTPResponseHead(status: 200, fields: fields) }
    fields.append("Content-Range", ContentRange.format(range, of: value.byteCount))
    return HTTPResponseHead(status: 206, fields: fields)
  }

  private static func head(of failure: Failure) -> HTTPResponseHead {
    var fields: HTTPFields = ["Cache-Control": "no-store"]
    if failure.kind == .unavailable { fields.append("Retry-After", "1") }
    if let outcome = failure.outcome { fields.append(PeerProtocol.outcomeField, outcome.rawValue) }
    if failure.kind == .unauthorized {
      // One challenge a field, as not every browser reads two in one (RFC 9110 section 11.6.1).
      for challenge in Credential.challenges { fields.append("WWW-Authenticate", challenge) }
    }
    if failure.kind == .methodNotAllowed { fields.append("Allow", methods) }
    return HTTPResponseHead(status: failure.kind.rawValue, fields: fields)
  }

  /// Last-Modified is never after Date, though another node's clock may be ahead (RFC 9110 section 8.8.2.1).
  private static func appendWhatTellsVersions(_ value: ValueHead, now: HTTPDate, to fields: inout HTTPFields) {
    fields.append("Last-Modified", min(value.modifiedAt, now).formatted)
    if value.consistency == .any {
      fields.append(PeerProtocol.consistencyField, value.consistency.rawValue)
      fields.append("Age", "\(max(0, now.secondsSince1970 - value.modifiedAt.secondsSince1970))")
    }
    appendEntityTag(value.checksum, to: &fields)
  }

  private static func appendEntityTag(_ checksum: ValueChecksum?, to fields: inout HTTPFields) {
    if let checksum { fields.append("ETag", "\"\(checksum.entityTag)\"") }
  }
}

extension Failure {
  /// What is told to whoever sent malformed HTTP.
  package init(_ error: HTTPSyntaxError) {
    self.init(Kind(rawValue: error.status) ?? .badRequest, error.reason)
  }
}
