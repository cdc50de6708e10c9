import KVCore

/// What the nodes of a cluster told of themselves, and what of it does not go together.
struct ClusterReport: Equatable, Sendable {
  /// A node and its answer.
  struct Entry: Equatable, Sendable {
    enum Answer: Equatable, Sendable {
      case up(NodeStatus)
      /// Why there is no answer, in a sentence that names the node.
      case down(reason: String)
    }

    let endpoint: Endpoint
    let answer: Answer

    var status: NodeStatus? { if case .up(let status) = answer { status } else { nil } }

    /// What the node is called where we know it, or what it calls itself.
    var name: String { endpoint.name ?? status?.node ?? "\(endpoint.address)" }
  }

  /// In the order of the peer list.
  let entries: [Entry]
  /// The fingerprint of the configuration that names the nodes, where there is one.
  let fingerprint: String?

  /// What is wrong, a sentence each; empty where all is well.
  var problems: [String] {
    downNodes + unhealthyNodes + attention + wrongNames
      + differences("peer list", fingerprint, "this configuration", \.fingerprint)
      + differences("version", nil, "", \.version)
  }

  /// Whether every node answered.
  var isReached: Bool { downNodes.isEmpty }

  /// How a change of the layout gets on, in the words of the nodes, each line once; what waits for somebody is a problem.
  var progress: [String] {
    let lines = entries.compactMap { entry in
      entry.status?.progress.flatMap { entry.status?.attention?.contains($0) == true ? nil : $0 }
    }
    return Array(Set(lines)).sorted()
  }

  /// How repair gets on, a line for each node that has something to do.
  var repairs: [String] {
    entries.compactMap { entry in entry.status?.repair.map { "\(entry.name): \($0)" } }
  }

  private var downNodes: [String] {
    entries.compactMap { if case .down(let reason) = $0.answer { reason } else { nil } }
  }

  private var unhealthyNodes: [String] {
    entries.compactMap { entry in
      guard let status = entry.status, !status.isHealthy else { return nil }
      return "\(entry.name) is not healthy: \(status.health)"
    }
  }

  private var attention: [String] {
    entries.compactMap { entry in entry.status?.attention.map { "\(entry.name): \($0)" } }
  }

  private var wrongNames: [String] {
    let misnamed: [String] = entries.compactMap { entry in
      guard let status = entry.status, let name = entry.endpoint.name, status.node != name else { return nil }
      return "the node at \(entry.endpoint.address) calls itself \(status.node), and [Peers] calls it \(name)"
    }
    let byName = Dictionary(grouping: entries.filter { $0.status != nil }) { $0.status?.node ?? "" }
    let doubled = byName.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map { name, entries in
      "\(Self.listed(entries.map { "\($0.endpoint.address)" })) all call themselves \(name)"
    }
    return misnamed + doubled
  }

  /// A sentence if the nodes, and our own configuration where it has a say, do not all have the same.
  private func differences(
    _ what: String, _ own: String?, _ ownName: String, _ property: KeyPath<NodeStatus, String>
  ) -> [String] {
    var holders: [(value: String, names: [String])] = own.map { [($0, [ownName])] } ?? []
    for entry in entries {
      guard let value = entry.status?[keyPath: property] else { continue }
      if let index = holders.firstIndex(where: { $0.value == value }) {
        holders[index].names.append(entry.name)
      } else {
        holders.append((value, [entry.name]))
      }
    }
    guard holders.count > 1 else { return [] }
    let parts = holders.map { "\($0.value) on \(Self.listed($0.names))" }
    return ["the \(what)s differ: \(parts.joined(separator: "; "))"]
  }

  private static func listed(_ names: [String]) -> String {
    guard names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " and " + names[names.count - 1]
  }
}
