import KVCore
import KVLinux

/// What a node tells of itself: `GET /?status` on the client port.
struct NodeStatus {
  let node: Node
  let cluster: Cluster

  /// One flat JSON object.
  func json() -> [UInt8] {
    let space = node.health.space
    let usage = node.store.usage.total.count
    var object = JSONObject()
    object.add("node", cluster.configuration.nodeName)
    object.add("version", node.version)
    object.add("fingerprint", cluster.fingerprint)
    object.add("peers", cluster.configuration.peers.count)
    object.add("values", usage.values)
    object.add("bytes", usage.bytes)
    object.add("free", space.freeBytes)
    object.add("total", space.totalBytes)
    object.add("uptime", Int(Instant.now.since(node.startedAt).components.seconds))
    object.add("connections", node.admission.servedCount)
    object.add("health", health)
    return object.bytes
  }

  private var health: String {
    switch node.health.verdict(maximumAge: Supervision.interval * 3) {
    case .healthy: "ok"
    case .unhealthy(let reason): reason
    }
  }
}
