import KVCore
import KVDialect
import KVHTTP
import KVLinux

/// Copies a value to another key through this process, a buffer at a time.
///
/// The end is sent only once all that came has the checksum that it was stored with: so damaged bytes, or half a value,
/// never become another value.
struct ValueCopy {
  private static let pieceBytes = 256 * 1024

  let source: Key
  let target: Key
  /// Whether the target must have no value.
  let isNew: Bool
  let nodes: Nodes
  let progress: ProgressBar

  /// Copies it and returns the tag of what was copied, where the source has one.
  func run() async throws(CommandError) -> EntityTag? {
    let limits = nodes.configuration.limits
    let from = try await NodeConnection.open(nodes.candidates(for: source), limits, subject: "GET \(source)")
    let found = try await from.ask(HTTPRequestHead(method: "GET", target: HTTPTarget(key: source.bytes)))
    guard found.status == 200 else { throw try await from.failure(found, method: "GET") }
    let value = ValueDescription(found)
    let to = try await NodeConnection.open(nodes.candidates(for: target), limits, subject: "PUT \(target)")
    let consent = try await to.ask(head(try kept(of: found, at: from)))
    guard consent.status == 100 else {
      throw (200...299).contains(consent.status)
        ? CommandError(.failure, "PUT \(target): \(to.endpoint) answered before it had the value")
        : try await to.failure(consent, method: "PUT")
    }
    progress.totalBytes = value.byteCount
    let checksum = Checksum()
    var body = try from.body(of: found)
    while let piece = try await from.receive(&body, bytesMax: Self.pieceBytes) {
      piece.withBytes { checksum.update($0) }
      try await send(ChunkHead.encoded(byteCount: piece.count), to, more: true)
      try await send(piece, to, more: true)
      try await send(ChunkHead.chunkEnd, to)
      progress.moved(piece.count)
    }
    if let tag = value.entityTag, !tag.matches(checksum.value) {
      throw CommandError(
        .checksumMismatch,
        "GET \(source): the value stored has the checksum \(tag.digits), the bytes received \(checksum.value)")
    }
    try await send(ChunkHead.lastChunk, to)
    let answer = try await to.receiveHead()
    guard (200...299).contains(answer.status) else { throw try await to.failure(answer, method: "PUT") }
    guard ValueDescription(answer).entityTag?.matches(checksum.value) == true else {
      throw CommandError(.checksumMismatch, "PUT \(target): what was stored is not what was sent")
    }
    return value.entityTag
  }

  private func send(_ bytes: [UInt8], _ connection: NodeConnection, more: Bool = false) async throws(CommandError) {
    try await connection.send(bytes, 0..<bytes.count, more: more)
  }

  /// What is stored beside the value: the other one gets the same.
  private func kept(
    of head: HTTPResponseHead, at connection: NodeConnection
  ) throws(CommandError) -> ValueFields {
    do throws(HTTPSyntaxError) {
      return try ValueFields(head.fields)
    } catch {
      throw CommandError(.failure, "GET \(source): \(connection.endpoint): \(error.reason)")
    }
  }

  private func head(_ kept: ValueFields) -> HTTPRequestHead {
    var fields: HTTPFields = ["Transfer-Encoding": "chunked"]
    kept.append(to: &fields)
    if isNew { fields.append("If-None-Match", "*") }
    fields.append("Expect", "100-continue")
    return HTTPRequestHead(method: "PUT", target: HTTPTarget(key: target.bytes), fields: fields)
  }
}
