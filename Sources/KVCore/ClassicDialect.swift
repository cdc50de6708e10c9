/// The classic dialect: how its requests are read and its responses written. docs/protocol.md specifies it.
public enum ClassicDialect {
  /// The request in a line, its LF excluded; a CR before it is dropped.
  ///
  /// A PUT's value always ends with the stream, also where its length was stated: only then is it known that
  /// no byte too many was sent.
  public static func request(line: ArraySlice<UInt8>) throws(Failure) -> Request {
    let line = try ClassicLine(parsing: line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    var request = Request(line.operation, line.key)
    if line.operation == .put { request.body = .untilEnd }
    request.valueBytes = line.valueBytes
    return request
  }

  /// What is sent for a response; a value's bytes follow.
  public static func encode(_ response: Response) -> [UInt8] {
    switch response {
    case .stored(let key, _, _): key.bytes + [UInt8(ascii: "\n")]
    case .value, .deleted: []
    case .notModified, .rangeNotSatisfiable, .json:
      preconditionFailure("the classic dialect has no way to ask for this")
    case .failure(let failure): Array("\(failureOpening)\(failure.message)\n".utf8)
    }
  }

  /// The reason in the line that tells of a failure, its LF excluded, or nil where it is another line.
  public static func failureReason(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    line.starts(with: failureOpening.utf8) ? line.dropFirst(failureOpening.utf8.count) : nil
  }

  private static let failureOpening = "ERROR: "
}
