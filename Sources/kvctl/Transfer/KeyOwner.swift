import KVCluster
import KVCore

/// Who answers for a key.
struct KeyOwner: Sendable {
  /// Another host that does as well.
  struct Other: Sendable {
    let name: String
    let address: String?

    var description: String { KeyOwner.description(name, address) }
  }

  let name: String
  /// Nil where nobody knows it.
  let address: String?
  /// Those that answer for the key too, in their order; while values move, also those that are to.
  var others: [Other] = []
  /// The version of the layout that says so; nil where the peer list does.
  var version: UInt64?

  /// `node2 (192.0.2.12:7776)`.
  var description: String { Self.description(name, address) }

  private static func description(_ name: String, _ address: String?) -> String {
    address.map { "\(name) (\($0))" } ?? name
  }

  /// Asks all nodes, of which the one that knows most is right; where there is no layout, the list tells.
  static func find(_ key: Key, _ nodes: Nodes) async -> KeyOwner? {
    let reports = await nodes.each { endpoint in try? await LayoutQuestion.report(of: endpoint, nodes) }
    let newest = reports.compactMap { $0 }.max { $0.layout?.version ?? 0 < $1.layout?.version ?? 0 }
    return newest.flatMap { KeyOwner(key, $0) } ?? listed(key, nodes)
  }

  /// The same from one node, which has just answered.
  static func find(_ key: Key, at endpoint: Endpoint, _ nodes: Nodes) async -> KeyOwner? {
    let report = try? await LayoutQuestion.report(of: endpoint, nodes)
    return report.flatMap { KeyOwner(key, $0) } ?? listed(key, nodes)
  }

  private init?(_ key: Key, _ report: LayoutReport) {
    guard let layout = report.layout else { return nil }
    let names = layout.coordinators(of: key.slot).map(\.name)
    name = names.first ?? layout.coordinator(of: key.slot).name
    address = report.address(of: name)
    version = layout.version
    // A host whose disk is exchanged is meant twice.
    for other in names where other != name && !others.contains(where: { $0.name == other }) {
      others.append(Other(name: other, address: report.address(of: other)))
    }
  }

  private init(_ peer: Peer) { (name, address) = (peer.name, "\(peer.address)") }

  private static func listed(_ key: Key, _ nodes: Nodes) -> KeyOwner? {
    if let owner = nodes.owner(of: key) { return KeyOwner(owner) }
    // Without peers, the one node owns every key.
    guard !nodes.isNamed, let only = nodes.all.first else { return nil }
    return KeyOwner(Peer(name: nodes.configuration.nodeName, address: only.address))
  }
}
