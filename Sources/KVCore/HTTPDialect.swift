/// The HTTP dialect: how its requests are read and its responses written. docs/protocol.md specifies it.
public enum HTTPDialect {
  /// What 100 (Continue) looks like: the owner has agreed to take the value.
  public static let continueHead = HTTPResponseHead(status: 100).encoded()

  /// The request in a head.
  public static func request(_ head: HTTPRequestHead) throws(Failure) -> Request {
    let operation = try operation(head.method)
    let key: Key
    let body: BodyFraming
    do throws(HTTPSyntaxError) {
      key = try Self.key(head.target)
      body = try head.bodyFraming()
    } catch {
      throw Failure(error)
    }
    if body != .none && operation != .put && body != .length(0) {
      throw Failure(.badRequest, "\(head.method) \(key): a request body makes no sense here")
    }
    if operation == .put && body == .none {
      throw Failure(.lengthRequired, "PUT \(key): neither Content-Length nor chunked")
    }
    let relayed = try PeerProtocol.mark(head.fields)
    var valueBytes = try PeerProtocol.statedValueBytes(head.fields)
    if case .length(let byteCount) = body { valueBytes = byteCount }
    return Request(operation: operation, key: key, body: body, valueBytes: valueBytes, relayed: relayed)
  }

  /// The head, or the whole, of a response; a value's bytes follow.
  public static func encode(_ response: Response, keepAlive: Bool) -> [UInt8] {
    var (head, text) = parts(response)
    if !text.isEmpty {
      head.fields.append("Content-Type", "text/plain; charset=utf-8")
    }
    if head.status != 204 && !head.fields.contains("Content-Length") {
      head.fields.append("Content-Length", "\(text.utf8.count)")
    }
    head.fields.append("Server", "kvnode")
    if !keepAlive { head.fields.append("Connection", "close") }
    return head.encoded() + Array(text.utf8)
  }

  private static func parts(_ response: Response) -> (head: HTTPResponseHead, text: String) {
    switch response {
    case .stored(_, let checksum):
      return (HTTPResponseHead(status: 201, fields: entityTag(checksum)), "")
    case .value(let value):
      var fields = entityTag(value.checksum)
      fields.append("Content-Length", "\(value.byteCount)")
      fields.append("Content-Type", "application/octet-stream")
      return (HTTPResponseHead(status: 200, fields: fields), "")
    case .deleted(let existed):
      return existed ? (HTTPResponseHead(status: 204), "") : (HTTPResponseHead(status: 404), "no such key\n")
    case .failure(let failure):
      var fields: HTTPFields = [:]
      if failure.kind == .unavailable { fields.append("Retry-After", "1") }
      if failure.kind == .methodNotAllowed { fields.append("Allow", "GET, PUT, DELETE") }
      return (HTTPResponseHead(status: failure.kind.rawValue, fields: fields), failure.message + "\n")
    }
  }

  private static func operation(_ method: String) throws(Failure) -> Operation {
    switch method {
    case "PUT": return .put
    case "GET": return .get
    case "DELETE": return .delete
    default: throw Failure(.methodNotAllowed, "\(method) is not supported (only PUT, GET and DELETE)")
    }
  }

  private static func key(_ target: HTTPTarget) throws(HTTPSyntaxError) -> Key {
    let bytes = try target.keyBytes()
    do throws(KeyError) { return try Key(bytes) } catch { throw .bad(error.description) }
  }

  private static func entityTag(_ checksum: ValueChecksum?) -> HTTPFields {
    guard let checksum else { return [:] }
    return ["ETag": "\"\(checksum)\""]
  }
}

extension Failure {
  /// What is told to whoever sent malformed HTTP.
  public init(_ error: HTTPSyntaxError) {
    self.init(Kind(rawValue: error.status) ?? .badRequest, error.reason)
  }
}
