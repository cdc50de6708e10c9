import KVCore
import KVHTTP
import KVLinux

/// Fetches a value from a node and makes sure that what arrived is what was stored.
struct Download {
  let key: Key
  let connection: NodeConnection
  let progress: ProgressBar
  /// Told of bytes as they come.
  var moved: (Int) -> Void = { _ in }

  /// What a value's bytes came to.
  enum Verdict: Equatable {
    case verified
    /// The node has no checksum of the value to compare with.
    case unverified
  }

  /// Fetches the whole value and hands it over as it comes. A mismatch is found out at its end.
  func run(to write: (RawSpan) throws(CommandError) -> Void) async throws(CommandError) -> Verdict {
    let answer = try await connection.ask(HTTPRequestHead(method: "GET", target: HTTPTarget(key: key.bytes)))
    guard answer.status == 200 else { throw try await connection.failure(answer, method: "GET") }
    let checksum = Checksum()
    try await receive(answer, checksum, to: write)
    return try verdict(ValueDescription(answer).entityTag, checksum)
  }

  /// Fetches what the partial file lacks; all, where the value has changed since.
  func run(into partial: inout PartialFile) async throws(CommandError) -> Verdict {
    var checksum = Checksum()
    let resumed = try partial.resume(updating: checksum, progress)
    progress.begin("GET \(key)", doneBytes: partial.byteCount)
    var head = HTTPRequestHead(method: "GET", target: HTTPTarget(key: key.bytes))
    if let resumed {
      head.fields.append("Range", "bytes=\(partial.byteCount)-")
      head.fields.append("If-Range", resumed.field)
    }
    let answer = try await connection.ask(head)
    let value = ValueDescription(answer)
    switch answer.status {
    case 206 where resumed != nil && value.entityTag == resumed:
      guard let range = answer.fields["Content-Range"].flatMap(ContentRange.parse),
        range.range.lowerBound == partial.byteCount
      else {
        throw CommandError(.failure, "GET \(key): \(connection.endpoint) sent another range than the one requested")
      }
    case 416 where answer.fields["Content-Range"].flatMap(ContentRange.parseUnsatisfied) == partial.byteCount:
      // Nothing is lacking but the last look at it. If-Range held, or the answer would have been 200.
      _ = try await connection.failure(answer, method: "GET")
      return try verdict(resumed, checksum)
    case 416 where resumed != nil:
      // The file has grown past the value, by no doing of ours.
      _ = try await connection.failure(answer, method: "GET")
      try partial.restart(entityTag: nil)
      return try await run(into: &partial)
    case 200:
      try partial.restart(entityTag: value.entityTag)
      progress.begin("GET \(key)")
      checksum = Checksum()
    default: throw try await connection.failure(answer, method: "GET")
    }
    try await receive(answer, checksum) { bytes throws(CommandError) in try partial.append(bytes) }
    return try verdict(value.entityTag, checksum)
  }

  private func receive(
    _ answer: HTTPResponseHead, _ checksum: borrowing Checksum, to write: (RawSpan) throws(CommandError) -> Void
  ) async throws(CommandError) {
    progress.totalBytes = ValueDescription(answer).byteCount
    try await connection.receiveBody(answer) { bytes throws(CommandError) in
      checksum.update(bytes)
      try write(bytes)
      progress.moved(bytes.byteCount)
      moved(bytes.byteCount)
    }
  }

  func verdict(_ stored: EntityTag?, _ checksum: borrowing Checksum) throws(CommandError) -> Verdict {
    guard let stored else { return .unverified }
    let received = checksum.value
    guard stored.matches(received) else {
      throw CommandError(
        .checksumMismatch,
        "GET \(key): the value stored has the checksum \(stored.digits), the bytes received \(received)")
    }
    return .verified
  }
}

/// What a node's answer tells of a value ahead of its bytes.
struct ValueDescription: Equatable, Sendable {
  /// The size of the whole value; nil where the answer does not say.
  let byteCount: Int?
  /// The tag with the checksum; nil where the node has none recorded.
  let entityTag: EntityTag?
  /// When it was stored, as `2026-11-28T20:22:58Z`.
  let modified: String?
  let contentType: String?

  /// Reads the fields of an answer to GET, HEAD or PUT.
  init(_ head: HTTPResponseHead) {
    let range = head.fields["Content-Range"].flatMap(ContentRange.parse)
    byteCount = range?.byteCount ?? (try? head.fields.contentLength()) ?? nil
    entityTag = head.fields["ETag"].flatMap(EntityTag.init)
    modified = head.fields["Last-Modified"].flatMap(TimeText.init)?.description
    contentType = head.fields["Content-Type"]
  }
}
