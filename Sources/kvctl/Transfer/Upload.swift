import KVCore
import KVDialect
import KVHTTP
import KVLinux

/// Sends a value to a node and makes sure that what arrived is what was read.
struct Upload {
  /// How a value is to be stored.
  struct Terms: Equatable, Sendable {
    var contentType: String?
    /// The key must have the value with this tag.
    var entityTag: EntityTag?
    /// The key must have no value.
    var isNew = false
    /// By what a further attempt is recognised.
    var idempotencyKey: IdempotencyKey?
  }

  /// How much is read and sent at a time.
  private static let bufferBytes = 256 * 1024

  let key: Key
  let terms: Terms
  let connection: NodeConnection
  let progress: ProgressBar

  /// Sends the value. Its length, where known, is stated ahead, and a source that ends before is an error.
  ///
  /// `read` puts the next bytes into the buffer, at most so many, and returns how many; 0 at the end.
  func run(
    byteCount: Int?, from read: (inout MutableRawSpan, Int) throws(CommandError) -> Int
  ) async throws(CommandError) -> ValueChecksum {
    if let byteCount, byteCount <= Self.bufferBytes { return try await runAtOnce(byteCount: byteCount, from: read) }
    let checksum = Checksum()
    var answer = try await connection.ask(head(byteCount: byteCount))
    var isWhole = byteCount == 0
    if answer.status == 100 {
      isWhole = try await send(byteCount: byteCount, checksum, from: read)
      answer = try await connection.receiveHead()
    }
    return try await conclude(answer, isWhole: isWhole, sent: checksum.value)
  }

  /// Sends a value that a single buffer holds together with the head, which saves a question and its answer.
  private func runAtOnce(
    byteCount: Int, from read: (inout MutableRawSpan, Int) throws(CommandError) -> Int
  ) async throws(CommandError) -> ValueChecksum {
    let checksum = Checksum()
    var value = [UInt8](repeating: 0, count: byteCount)
    var filled = 0
    while filled < byteCount {
      let count = try value.withMutableBytes { bytes throws(CommandError) in
        var rest = bytes._mutatingExtracting(filled..<byteCount)
        return try read(&rest, byteCount - filled)
      }
      guard count > 0 else { throw shorter }
      filled += count
    }
    value.withBytes { checksum.update($0) }
    let answer = try await connection.ask(head(byteCount: byteCount, awaitsConsent: false), value)
    progress.moved(byteCount)
    return try await conclude(answer, isWhole: true, sent: checksum.value)
  }

  /// Makes sure that the node has stored what was sent.
  private func conclude(
    _ answer: HTTPResponseHead, isWhole: Bool, sent: ValueChecksum
  ) async throws(CommandError) -> ValueChecksum {
    guard (200...299).contains(answer.status) else { throw try await connection.failure(answer, method: "PUT") }
    _ = try await connection.receiveText(answer, method: "PUT", bytesMax: PeerProtocol.errorTextBytesMax)
    guard isWhole else {
      throw CommandError(.failure, "PUT \(key): \(connection.endpoint) answered before it had the value")
    }
    guard let stored = ValueDescription(answer).entityTag else {
      throw CommandError(.failure, "PUT \(key): \(connection.endpoint) does not tell the checksum of what it stored")
    }
    guard stored.matches(sent) else {
      throw CommandError(
        .checksumMismatch, "PUT \(key): the value stored has the checksum \(stored.digits), the value sent \(sent)")
    }
    return sent
  }

  private var shorter: CommandError {
    CommandError(.failure, "PUT \(key): the file became shorter while it was read")
  }

  private func head(byteCount: Int?, awaitsConsent: Bool = true) -> HTTPRequestHead {
    var fields: HTTPFields = [:]
    if let byteCount {
      fields.append("Content-Length", "\(byteCount)")
    } else {
      fields.append("Transfer-Encoding", "chunked")
    }
    if let contentType = terms.contentType { fields.append("Content-Type", contentType) }
    if let entityTag = terms.entityTag { fields.append("If-Match", entityTag.matchField) }
    if terms.isNew { fields.append("If-None-Match", "*") }
    if let key = terms.idempotencyKey { fields.append(IdempotencyKey.fieldName, key.field) }
    if awaitsConsent { fields.append("Expect", "100-continue") }
    return HTTPRequestHead(method: "PUT", target: HTTPTarget(key: key.bytes), fields: fields)
  }

  /// Sends the body. False where the node answered before its end.
  private func send(
    byteCount: Int?, _ checksum: borrowing Checksum, from read: (inout MutableRawSpan, Int) throws(CommandError) -> Int
  ) async throws(CommandError) -> Bool {
    var buffer = [UInt8](repeating: 0, count: Self.bufferBytes)
    var sent = 0
    while sent != byteCount {
      let count = try Self.fill(&buffer, bytesMax: byteCount.map { $0 - sent } ?? .max, checksum, from: read)
      if connection.hasArrived { return false }
      guard count > 0 else {
        guard byteCount == nil else { throw shorter }
        try await connection.send(ChunkHead.lastChunk, 0..<ChunkHead.lastChunk.count)
        return true
      }
      do throws(CommandError) {
        try await send(buffer, count, inChunk: byteCount == nil)
      } catch {
        // A node that refuses the rest of a value answers and closes: what it said explains more than the reset.
        if connection.hasArrived { return false }
        throw error
      }
      sent += count
      progress.moved(count)
    }
    return true
  }

  private static func fill(
    _ buffer: inout [UInt8], bytesMax: Int, _ checksum: borrowing Checksum,
    from read: (inout MutableRawSpan, Int) throws(CommandError) -> Int
  ) throws(CommandError) -> Int {
    try buffer.withMutableBytes { bytes throws(CommandError) in
      let count = try read(&bytes, bytesMax)
      checksum.update(bytes.bytes.extracting(first: count))
      return count
    }
  }

  private func send(_ buffer: [UInt8], _ count: Int, inChunk: Bool) async throws(CommandError) {
    guard inChunk else { return try await connection.send(buffer, 0..<count) }
    let head = ChunkHead.encoded(byteCount: count)
    try await connection.send(head, 0..<head.count, more: true)
    try await connection.send(buffer, 0..<count, more: true)
    try await connection.send(ChunkHead.chunkEnd, 0..<ChunkHead.chunkEnd.count)
  }
}
