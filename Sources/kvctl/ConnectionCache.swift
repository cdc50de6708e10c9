import KVCore

/// Connections of one task, kept for its next question to the same nodes.
final class ConnectionCache {
  private let nodes: Nodes
  private var idle: [PeerAddress: NodeConnection] = [:]

  init(_ nodes: Nodes) {
    self.nodes = nodes
  }

  /// Asks the first of the nodes that can be reached. A kept connection that turns out to be closed is replaced, once:
  /// so what is asked must be fit to be asked twice.
  func with<Result>(
    _ candidates: [Endpoint], subject: String, _ ask: (NodeConnection) async throws(CommandError) -> Result
  ) async throws(CommandError) -> Result {
    if let address = candidates.first?.address, let kept = idle.removeValue(forKey: address) {
      kept.subject = subject
      do throws(CommandError) {
        let result = try await ask(kept)
        keep(kept, address)
        return result
      } catch {
        guard error.status == .unreachable else {
          if error.status != .failure { keep(kept, address) }
          throw error
        }
      }
    }
    let connection = try await NodeConnection.open(candidates, nodes.configuration.limits, subject: subject)
    let result = try await ask(connection)
    if let first = candidates.first, connection.endpoint == first { keep(connection, first.address) }
    return result
  }

  private func keep(_ connection: NodeConnection, _ address: PeerAddress) {
    if connection.isReusable { idle[address] = connection }
  }
}
