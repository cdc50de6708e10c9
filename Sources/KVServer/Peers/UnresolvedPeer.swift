import KVCore
import KVLinux

/// A peer whose host name stands for no address now, and why.
package struct UnresolvedPeer: CustomStringConvertible, Sendable {
  /// How many are told one by one.
  private static let toldMax = 10
  private static let threadCount = 8

  let peer: Peer
  let error: ResolveError

  /// One line, for whoever has written the list.
  package var description: String { "[Peers] \(peer): \(error)" }

  /// Tells of the names in the peer list that stand for nothing. They are looked up at once and nobody waits for one longer
  /// than for a connection, so that a name server that is down holds nothing up for long.
  package static func look(_ configuration: Configuration, _ tell: @escaping @Sendable (String) -> Void) {
    let peers = configuration.peers.filter { if case .name = $0.address.host { true } else { false } }
    guard !peers.isEmpty else { return }
    do throws(SystemError) {
      let names = PeerNames(threads: try IOExecutor(name: "outside", threadCount: threadCount))
      try IOExecutor(name: "names", threadCount: 1).runToEnd {
        lines(await names.unresolved(peers, within: configuration.limits.connectTimeout)).forEach(tell)
      }
    } catch {
      tell("the names in [Peers] cannot be looked up: \(error)")
    }
  }

  /// A line for each of the first few, and one for the rest.
  static func lines(_ unresolved: [UnresolvedPeer]) -> [String] {
    let lines = unresolved.prefix(toldMax).map(\.description)
    let rest = unresolved.count - lines.count
    return rest == 0 ? lines : lines + ["[Peers] \(Counted(rest, "more name")) cannot be resolved either"]
  }
}

extension PeerNames {
  /// Those of the peers whose names stand for no address, in the order given.
  func unresolved(_ peers: [Peer], within timeout: Duration) async -> [UnresolvedPeer] {
    await withTaskGroup(of: (Int, UnresolvedPeer)?.self) { group in
      for (index, peer) in peers.enumerated() {
        guard case .name(let name) = peer.address.host else { continue }
        group.addTask(executorPreference: IOExecutor.current) {
          do throws(ResolveError) {
            _ = try await self.addresses(of: name, peer.address, within: timeout)
            return nil
          } catch {
            return (index, UnresolvedPeer(peer: peer, error: error))
          }
        }
      }
      var found: [(Int, UnresolvedPeer)] = []
      for await unresolved in group { if let unresolved { found.append(unresolved) } }
      return found.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }
}
