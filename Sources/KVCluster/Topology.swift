import KVCore

/// Who is in the cluster and who owns what, as one node's peer list says it.
package struct Topology: Sendable {
  /// Where a request goes.
  package enum Route: Equatable, Sendable {
    case own
    case peer(Peer)
    case refused(Failure)

    /// The other node, where the request goes to one.
    package var peer: Peer? { if case .peer(let peer) = self { peer } else { nil } }
  }

  /// The node whose view this is.
  package let nodeName: String
  /// All nodes in order; empty for a node on its own.
  package let peers: [Peer]
  /// Sixteen hex digits that stand for the peer list, its order and the placement rule. Nodes that agree on
  /// them agree on the owner of every key.
  package let fingerprint: String
  private let placement: Placement
  private let ownIndex: Int

  /// The view of a list that has been checked; `digest` is MD5 (RFC 1321), for the fingerprint.
  package init(nodeName: String, peers: [Peer], digest: ([UInt8]) -> [UInt8]) {
    self.nodeName = nodeName
    self.peers = peers
    placement = Placement(nodeCount: max(peers.count, 1))
    ownIndex = peers.firstIndex { $0.name == nodeName } ?? 0
    let canonical = "ranges\n" + peers.map { "\($0.name)=\($0.address)\n" }.joined()
    fingerprint = digest(Array(canonical.utf8)).prefix(8).map(Self.hexDigits).joined()
  }

  /// How many slots this node owns, of 65,536.
  package var ownSlotCount: Int { (0..<Slot.count).count { owns(Slot(number: $0)) } }

  /// What this node tells others when it relays to them.
  package var relayMark: RelayMark { RelayMark(node: nodeName, fingerprint: fingerprint) }

  /// The other nodes.
  package var otherPeers: [Peer] { peers.filter { $0.name != nodeName } }

  /// Whether this node owns the slot.
  package func owns(_ slot: Slot) -> Bool { placement.owner(of: slot) == ownIndex }

  /// The slot's owner, or nil for a node on its own.
  package func owner(of slot: Slot) -> Peer? { peers.isEmpty ? nil : peers[placement.owner(of: slot)] }

  /// The name of the slot's owner where that is another node.
  package func otherOwner(of slot: Slot) -> String? {
    guard let owner = owner(of: slot), !owns(slot) else { return nil }
    return owner.name
  }

  /// Where a request about a key of that slot goes. A request that was relayed here is never relayed on, so no pair of
  /// configurations can make a loop.
  package func route(_ slot: Slot, relayedBy mark: RelayMark?, about subject: @autoclosure () -> String) -> Route {
    if let mark, mark.fingerprint != fingerprint, let failure = disagreement(with: mark, about: subject()) {
      return .refused(failure)
    }
    guard let owner = owner(of: slot), !owns(slot) else { return .own }
    guard let mark else { return .peer(owner) }
    return .refused(
      Failure(
        .misdirected,
        "\(subject()): \(mark.node) takes \(nodeName) for the owner, but it is \(owner.name); "
          + "is Name= the same on two nodes?"))
  }

  /// What to tell a node that goes by another peer list, or nil where both agree.
  package func disagreement(with mark: RelayMark, about subject: String) -> Failure? {
    guard mark.fingerprint != fingerprint else { return nil }
    return Failure(
      .misdirected,
      "\(subject): \(mark.node) and \(nodeName) have different peer lists "
        + "(fingerprints \(mark.fingerprint) and \(fingerprint)); make [Peers] the same on every node")
  }

  private static func hexDigits(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}

/// Which node owns a slot. The one type that knows the rule.
package struct Placement: Sendable, Equatable {
  /// How many nodes share the slots, at least 1.
  package let nodeCount: Int
  private let slotsPerNode: Int

  /// Shares the slots among nodes numbered from 0 in the order of the peer list.
  package init(nodeCount: Int) {
    precondition((1...Slot.count).contains(nodeCount), "a placement needs 1 to \(Slot.count) nodes")
    self.nodeCount = nodeCount
    slotsPerNode = Slot.count / nodeCount
  }

  /// The index of the slot's owner in the peer list.
  ///
  /// Counting nodes from 1, node i owns the slots from (i−1)·split to i·split, both included, and the first
  /// such node wins: so slot i·split is node i's, and slot 0 is the only one that node 1 has below its range.
  /// Slots past the last range, left over by the integer division, are the first node's.
  package func owner(of slot: Slot) -> Int {
    let index = max(slot.number - 1, 0) / slotsPerNode
    return index < nodeCount ? index : 0
  }
}
