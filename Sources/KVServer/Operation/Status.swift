import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore

/// What this node tells of itself: `GET /?status`.
struct OwnStatus: Sendable {
  let version: String
  let startedAt: Instant
  let store: Store
  let health: Health
  let admission: Admission
  let notices: Notices
  /// What there is to tell of the layout.
  var layout: @Sendable () -> LayoutReport? = { nil }
  var repair = RepairRecord()

  /// What is told to whoever asks about the node.
  func answer(_ request: NodeRequest, _ cluster: Cluster) -> Response {
    switch request {
    case .status: return .json(now(cluster).json.bytes)
    case .layout(let isBinary):
      guard let report = layout() else { return .failure(Failure(.unavailable, "LAYOUT: this node knows none")) }
      return isBinary ? .message(report.bytes) : .json(report.json.bytes)
    case .methods: return .methods
    case .welcome: return .text(Self.welcome(version))
    case .health, .methodsOfNode:
      if let reason = health.verdict.reason {
        return .failure(Failure(.unavailable, "\(cluster.configuration.nodeName): \(reason)"))
      }
      return request == .health ? .text("ok\n") : .methods
    }
  }

  private static func welcome(_ version: String) -> String {
    """
    This is kvnode \(version), a key-value store. The path is the key:

      curl -f -T FILE http://HOST:7776/KEY       store
      curl -f -o FILE http://HOST:7776/KEY       fetch
      curl -f -X DELETE http://HOST:7776/KEY     delete
      curl -f 'http://HOST:7776/PREFIX?list'     list, as JSON

    /?health says whether this node is healthy, /?status shows its state.

    """
  }

  /// The status now.
  func now(_ cluster: Cluster) -> NodeStatus {
    let space = health.space
    let usage = store.usage.total.count
    var status = NodeStatus(
      node: cluster.configuration.nodeName, version: version, fingerprint: cluster.topology.fingerprint,
      peers: cluster.configuration.peers.count, values: usage.values, bytes: usage.bytes, freeBytes: space.freeBytes,
      totalBytes: space.totalBytes, uptimeSeconds: Int(Instant.now.since(startedAt).components.seconds),
      connections: admission.servedCount, health: health.verdict.reason ?? "ok")
    status.uncountedParts = store.usage.uncountedCount
    status.quarantined = store.quarantinedCount
    status.stranded = notices.stranded.last?.total ?? 0
    status.layout = Int(cluster.topology.layoutVersion ?? 0)
    status.progress = notices.progress()?.text
    status.behind = repair.behindCount
    status.repair = repair.text
    status.attention = notices.text
    return status
  }
}

/// The whole cluster as this node sees it: `/status` on the admin port. A node that does not answer is in it with
/// the reason.
struct ClusterStatus: Sendable {
  let own: OwnStatus
  let peers: any PeerQuestions
  let network: IOExecutor

  /// `{"nodes":[…]}`, an entry for each node in the order of the peer list.
  func json(_ cluster: Cluster) async -> JSONObject {
    let peers = cluster.configuration.peers
    let ownEntry = own.now(cluster).json
    let entries = await withTaskGroup(of: (Int, JSONObject).self) { group in
      for (index, peer) in peers.enumerated() {
        group.addTask(executorPreference: network) {
          (index, peer.name == cluster.configuration.nodeName ? ownEntry : await entry(of: peer, cluster))
        }
      }
      var entries = [JSONObject](repeating: ownEntry, count: max(peers.count, 1))
      for await (index, entry) in group { entries[index] = entry }
      return entries
    }
    var object = JSONObject()
    object.add("nodes", entries)
    return object
  }

  private func entry(of peer: Peer, _ cluster: Cluster) async -> JSONObject {
    let question = PeerQuestion(
      subject: "STATUS", head: StatusRequest.head(to: peer, mark: cluster.topology.relayMark),
      answerBytesMax: NodeStatus.bytesMax)
    do throws(ExchangeError) {
      let text = try await peers.ask(question, of: peer, cluster.limits)
      do throws(NodeStatusError) {
        return try NodeStatus(parsing: text).json
      } catch {
        throw peers.malformed(.bad("a status with \(error.reason)"), question, of: peer)
      }
    } catch {
      switch error {
      case .refused(let failure): return Self.failed(peer, failure.message)
      case .broken(let reason): return Self.failed(peer, reason)
      }
    }
  }

  private static func failed(_ peer: Peer, _ reason: String) -> JSONObject {
    var object = JSONObject()
    object.add("node", peer.name)
    object.add("error", reason)
    return object
  }
}
