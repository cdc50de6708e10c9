import KVCore
import KVHTTP
import KVLinux

/// A value that goes to standard output, a device or a FIFO as its bytes come. What has gone out cannot be taken back, so
/// that another attempt must go on behind it.
final class StreamedValue {
  /// How many bytes have gone out.
  private(set) var byteCount = 0
  /// Of those bytes.
  let checksum = Checksum()
  /// The tag of the value that they are of, once it is known and where it has one.
  var entityTag: EntityTag?
  private let label: String
  private let file: File

  /// `-` is standard output.
  init(to name: String) throws(CommandError) {
    let label = name == "-" ? "standard output" : name
    self.label = label
    file = try CommandError.naming(label) { () throws(SystemError) in
      name == "-" ? try File.standardOutput() : try File(outputPath: name)
    }
  }

  /// Writes the next bytes.
  func write(_ bytes: RawSpan) throws(CommandError) {
    try CommandError.naming(label) { () throws(SystemError) in try file.writeNext(bytes) }
    checksum.update(bytes)
    byteCount += bytes.byteCount
  }
}

extension Download {
  /// Fetches what has not gone out yet. A mismatch is found out at the end.
  func run(into stream: StreamedValue) async throws(CommandError) -> Verdict {
    let answer = try await connection.ask(try head(for: stream))
    let value = ValueDescription(answer)
    let start = stream.byteCount
    switch answer.status {
    case 200 where start == 0: stream.entityTag = value.entityTag
    case 206 where start > 0 && value.entityTag == stream.entityTag:
      guard answer.fields["Content-Range"].flatMap(ContentRange.parse)?.range.lowerBound == start else {
        throw CommandError(.failure, "GET \(key): \(connection.endpoint) sent another part than was asked for")
      }
      progress.begin("GET \(key)", doneBytes: start)
    case 412 where start > 0, 206 where start > 0:
      throw CommandError(.failure, "GET \(key): the value has changed since its first \(start) bytes were written")
    default: throw try await connection.failure(answer, method: "GET")
    }
    progress.totalBytes = value.byteCount
    try await connection.receiveBody(answer) { bytes throws(CommandError) in
      try stream.write(bytes)
      progress.moved(bytes.byteCount)
    }
    return try verdict(stream.entityTag, stream.checksum)
  }

  private func head(for stream: StreamedValue) throws(CommandError) -> HTTPRequestHead {
    var head = HTTPRequestHead(method: "GET", target: HTTPTarget(key: key.bytes))
    guard stream.byteCount > 0 else { return head }
    guard let entityTag = stream.entityTag else {
      throw CommandError(
        .failure,
        "GET \(key): broke off after \(stream.byteCount) bytes; the node has no checksum of the value to go on by")
    }
    head.fields.append("Range", "bytes=\(stream.byteCount)-")
    head.fields.append("If-Match", entityTag.matchField)
    return head
  }
}
