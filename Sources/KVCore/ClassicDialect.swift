/// The classic dialect: how its requests are read and its responses written. docs/protocol.md specifies it.
public enum ClassicDialect {
  /// The request in a line, its LF excluded; a CR before it is dropped.
  ///
  /// A PUT's value always ends with the stream, also where its length was stated: only then is it known that
  /// no byte too many was sent.
  public static func request(line: ArraySlice<UInt8>) throws(Failure) -> Request {
    let line = try ClassicLine(parsing: line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    return Request(
      operation: line.operation, key: line.key, body: line.operation == .put ? .untilEnd : .none,
      valueBytes: line.valueBytes)
  }

  /// What is sent for a response; a value's bytes follow.
  public static func encode(_ response: Response) -> [UInt8] {
    switch response {
    case .stored(let key, _): key.bytes + [UInt8(ascii: "\n")]
    case .value, .deleted: []
    case .failure(let failure): Array("ERROR: \(failure.message)\n".utf8)
    }
  }
}
