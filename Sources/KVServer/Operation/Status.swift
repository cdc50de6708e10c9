import KVCore
import KVDialect
import KVLinux

extension NodeStatus {
  /// What this node tells of itself.
  init(of node: Node, _ cluster: Cluster) {
    let space = node.health.space
    let usage = node.store.usage.total.count
    let health: String =
      switch node.health.verdict(maximumAge: Supervision.interval * 3) {
      case .healthy: "ok"
      case .unhealthy(let reason): reason
      }
    self.init(
      node: cluster.configuration.nodeName, version: node.version, fingerprint: cluster.topology.fingerprint,
      peers: cluster.configuration.peers.count, values: usage.values, bytes: usage.bytes, freeBytes: space.freeBytes,
      totalBytes: space.totalBytes, uptimeSeconds: Int(Instant.now.since(node.startedAt).components.seconds),
      connections: node.admission.servedCount, health: health)
  }
}

/// The whole cluster as this node sees it: `/status` on the admin port. A node that does not answer is in it with
/// the reason.
struct ClusterStatus {
  let node: Node
  let cluster: Cluster

  /// A JSON object: `{"nodes":[…]}`, an entry for each node in the order of the peer list.
  func json() async -> [UInt8] {
    let peers = cluster.configuration.peers
    let own = NodeStatus(of: node, cluster).json.bytes
    let entries = await withTaskGroup(of: (Int, [UInt8]).self) { group in
      for (index, peer) in peers.enumerated() {
        group.addTask(executorPreference: node.network) {
          (index, peer.name == cluster.configuration.nodeName ? own : await entry(of: peer))
        }
      }
      var entries = peers.isEmpty ? [own] : [[UInt8]](repeating: [], count: peers.count)
      for await (index, entry) in group { entries[index] = entry }
      return entries
    }
    return Array("{\"nodes\":[".utf8) + entries.joined(separator: Array(",".utf8)) + Array("]}\n".utf8)
  }

  private func entry(of peer: Peer) async -> [UInt8] {
    let link = PeerLink(node: node, cluster: cluster, peer: peer, subject: "STATUS")
    do throws(ExchangeError) {
      let text = try await link.text(StatusRequest.head(to: peer.address), bytesMax: NodeStatus.bytesMax)
      return text.filter { $0 != UInt8(ascii: "\n") }
    } catch {
      switch error {
      case .refused(let failure): return Self.failed(peer, failure.message)
      case .broken(let reason): return Self.failed(peer, reason)
      }
    }
  }

  private static func failed(_ peer: Peer, _ reason: String) -> [UInt8] {
    var object = JSONObject()
    object.add("node", peer.name)
    object.add("error", reason)
    return object.bytes
  }
}
