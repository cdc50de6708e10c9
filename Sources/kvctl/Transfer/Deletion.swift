import KVCore
import KVDialect
import KVHTTP

/// Deletes a value.
struct Deletion {
  let key: Key
  /// The key must have the value with this tag.
  var entityTag: EntityTag?

  private var head: HTTPRequestHead {
    var head = HTTPRequestHead(method: "DELETE", target: HTTPTarget(key: key.bytes))
    if let entityTag { head.fields.append("If-Match", entityTag.matchField) }
    return head
  }

  /// Deletes it over connections that are kept. False where there was nothing to delete: that may be its own doing, where
  /// a connection broke before the answer.
  func run(_ nodes: Nodes, _ connections: ConnectionCache) async throws(CommandError) -> Bool {
    try await connections.with(nodes.candidates(for: key), subject: "DEL \(key)") {
      (connection) async throws(CommandError) -> Bool in
      try await run(over: connection)
    }
  }

  /// Deletes it. False where there was nothing to delete.
  func run(over connection: NodeConnection) async throws(CommandError) -> Bool {
    let answer = try await connection.ask(head)
    guard answer.status == 204 || answer.status == 404 else {
      throw try await connection.failure(answer, method: "DELETE")
    }
    _ = try await connection.receiveText(answer, method: "DELETE", bytesMax: PeerProtocol.errorTextBytesMax)
    return answer.status == 204
  }
}
