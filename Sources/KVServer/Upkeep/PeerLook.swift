import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// Looks at the other nodes to which nothing has gone for a while, so that it is known which are down before somebody needs
/// them. What a look finds counts as what a request would.
struct PeerLook: Worker {
  /// How many are looked at together.
  private static let atOnceMax = 32
  /// How long a node may take to answer what costs it nothing.
  private static let answerTimeout = Duration.seconds(10)

  let peers: Peers
  let current: CurrentCluster
  let network: IOExecutor
  let pace = Duration.seconds(1)
  private var lookout = PeerLookout()

  init(peers: Peers, current: CurrentCluster, network: IOExecutor) {
    (self.peers, self.current, self.network) = (peers, current, network)
  }

  mutating func step(lateBy _: Duration) async {
    let cluster = current.value
    let due = lookout.due(
      among: cluster.topology.otherPeers, at: .now, heardAt: { peers.watch.heardAt($0) },
      chance: { .random(in: 0...1) })
    await look(at: due, cluster)
  }

  func look(at due: [Peer], _ cluster: Cluster) async {
    await withTaskGroup(of: Void.self) { group in
      for (index, peer) in due.enumerated() {
        if index >= Self.atOnceMax { await group.next() }
        group.addTask(executorPreference: network) { await look(at: peer, cluster) }
      }
    }
  }

  private func look(at peer: Peer, _ cluster: Cluster) async {
    var limits = cluster.limits
    limits.idleTimeout = min(limits.idleTimeout, Self.answerTimeout)
    await PeerLink(peers: peers, peer: peer, limits: limits, subject: "HEAD /", isLook: true)
      .look(cluster.topology.relayMark)
  }
}

extension PeerLink {
  /// Asks for what any node answers from memory, over a connection of its own that is closed after: a look leaves nothing
  /// open at a node that nobody needs. Whatever the answer is, the node lives.
  func look(_ mark: RelayMark) async {
    do throws(ExchangeError) {
      var connection = try await connect(isRepeatable: false)
      let head = HTTPRequestHead(
        method: "HEAD", target: HTTPTarget(key: []), fields: PeerProtocol.fields(to: peer, mark: mark))
      _ = try await ask(head, &connection)
      peers.metrics.recordAnswer(of: peer.name, true)
    } catch {
      // It has been taken note of.
    }
  }
}
