/// What a GET or HEAD of a value that is there comes to.
public enum ReadOutcome {
  /// The response by the request's conditions and range (RFC 9110 sections 13.2.2 and 14.2).
  public static func response(to request: Request, _ head: ValueHead, now: HTTPDate) -> Response {
    switch request.preconditions.evaluate(head.state, for: request.operation, now: now) {
    case .notModified: return .notModified(head)
    case .failed:
      return .failure(
        Failure(.preconditionFailed, "\(request.operation.rawValue) \(request.key): the precondition does not hold"))
    case .proceed: break
    }
    guard let range = request.range.flatMap({ ByteRange(parsing: $0) }),
      request.preconditions.permitsRange(of: head.state, now: now)
    else { return .value(head) }
    guard let offsets = range.offsets(byteCount: head.byteCount) else {
      return .rangeNotSatisfiable(byteCount: head.byteCount)
    }
    var part = head
    part.range = offsets
    return .value(part)
  }
}
