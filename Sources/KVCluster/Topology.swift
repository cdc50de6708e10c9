import KVCore

/// Who is in the cluster and who owns what: as the layout says that the nodes have decided on, or, until there is one, as
/// this node's peer list says it.
package struct Topology: Sendable {
  /// Where a request goes.
  package enum Route: Equatable, Sendable {
    case own(Say)
    /// To another node, or to others that answer for the key as well.
    case peer(Peer, others: [Peer])
    case refused(Failure)
    /// The node of that name goes by a later layout, which is to be had from it first.
    case behind(String)

    /// The other node, where the request goes to one.
    package var peer: Peer? { if case .peer(let peer, _) = self { peer } else { nil } }
  }

  /// The node whose view this is.
  package let nodeName: String
  /// All nodes that the peer list names, in order; empty for a node on its own.
  package let peers: [Peer]
  /// The layout in force, once there is one.
  package var layout: Layout? { held?.layout }
  private let held: HeldLayout?
  /// This node's disk in it.
  package let ownDisk: DiskID?
  /// Sixteen hex digits that stand for the peer list, its order and the placement rule. Nodes that agree on
  /// them agree on the owner of every key, as long as there is no layout.
  package let fingerprint: String
  private let placement: Placement
  /// This node's place in the list; nil where that does not name it.
  private let ownIndex: Int?
  /// Every node whose address is known, by name.
  private let addresses: [String: Peer]

  /// The view of a list that has been checked; `digest` is MD5 (RFC 1321), for the fingerprint. `known` are nodes that the
  /// list does not name any more.
  package init(
    nodeName: String, peers: [Peer], digest: ([UInt8]) -> [UInt8], layout: Layout? = nil, ownDisk: DiskID? = nil,
    known: [Peer] = []
  ) {
    self.nodeName = nodeName
    self.peers = peers
    held = layout.map(HeldLayout.init)
    self.ownDisk = ownDisk
    placement = Placement(nodeCount: max(peers.count, 1))
    ownIndex = peers.isEmpty ? 0 : peers.firstIndex { $0.name == nodeName }
    addresses = Dictionary((peers + known).map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let canonical = "ranges\n" + peers.map { "\($0.name)=\($0.address)\n" }.joined()
    fingerprint = digest(Array(canonical.utf8)).prefix(8).map(Self.hexDigits).joined()
    let mark = layout.map { LayoutMark(cluster: "\($0.cluster)", version: $0.version) }
    relayMark = RelayMark(node: nodeName, fingerprint: fingerprint, layout: mark)
  }

  /// The version of the layout in force, or nil before there is one. Every request asks for it and none needs the rest.
  package var layoutVersion: UInt64? { held?.layout.version }

  /// How many slots this node owns, of 65,536.
  package var ownSlotCount: Int { (0..<Slot.count).count { owns(Slot(number: $0)) } }

  /// What this node tells others when it relays to them.
  package let relayMark: RelayMark

  /// The other nodes, in the order of the list; then those that the layout has besides.
  package var otherPeers: [Peer] {
    let others = (layout?.members ?? []).map(\.name).filter { name in !peers.contains { $0.name == name } }
    return (peers + others.compactMap { addresses[$0] }).filter { $0.name != nodeName }
  }

  /// The nodes that the list does not name, as far as their addresses are known.
  package var others: [Peer] { addresses.values.filter { peer in !peers.contains { $0.name == peer.name } } }

  /// A node by its name, if its address is known.
  package func peer(named name: String) -> Peer? { addresses[name] }

  /// The node whose disk is a member of the layout.
  package func peer(of member: Member) -> Peer? {
    layout?.members.first { $0.member == member }.flatMap { addresses[$0.name] }
  }

  /// This node's number in the layout; nil also where it has been given up, so that it has no say any more.
  package var ownMember: Member? {
    guard let layout, let ownDisk, let member = layout.member(of: ownDisk), !layout.lost.contains(member) else {
      return nil
    }
    return member
  }

  /// Whether the others do without this node and what is on its disk, although the layout still names it.
  package var isGivenUp: Bool {
    guard let held, !held.layout.lost.isEmpty, let ownDisk, let member = held.layout.member(of: ownDisk) else {
      return false
    }
    return held.layout.lost.contains(member)
  }

  /// Whether this node answers for the slot.
  package func owns(_ slot: Slot) -> Bool {
    if let held { return !isGivenUp && held.layout.isCoordinator(ownDisk, of: slot) }
    return placement.owner(of: slot) == ownIndex
  }

  /// The node that answers for the slot, or nil for a node on its own, and where its address is not known.
  package func owner(of slot: Slot) -> Peer? {
    if let held { return addresses[held.layout.coordinator(of: slot).name] }
    return peers.isEmpty ? nil : peers[placement.owner(of: slot)]
  }

  /// The nodes that answer for the slot: the one to ask first, and those that do as well where there are copies.
  private func owners(of slot: Slot) -> (first: Peer, others: [Peer])? {
    guard let held, held.layout.hasCopies else { return owner(of: slot).map { ($0, []) } }
    // Under this node's own name another disk is meant, which is gone.
    let owners = held.layout.coordinators(of: slot).filter { $0.name != nodeName }.compactMap { addresses[$0.name] }
    return owners.first.map { ($0, Array(owners.dropFirst())) }
  }

  /// The name of the slot's owner where that is another node.
  package func otherOwner(of slot: Slot) -> String? {
    if let layout {
      let view = layout.view(of: slot)
      if let own = ownMember, view.hasVoter(own) { return nil }
      return layout.coordinator(of: slot).name
    }
    guard let owner = owner(of: slot), !owns(slot) else { return nil }
    return owner.name
  }

  /// Where a request about a key of that slot goes. A request that was relayed here is never relayed on, so no pair of
  /// configurations can make a loop.
  package func route(_ slot: Slot, relayedBy mark: RelayMark?, about subject: @autoclosure () -> String) -> Route {
    if let mark {
      if isBehind(mark) { return .behind(mark.node) }
      if let failure = disagreement(with: mark, about: subject()) { return .refused(failure) }
    }
    if isGivenUp, let layout, !layout.hasCopies, layout.coordinator(of: slot).disk == ownDisk {
      return .refused(
        Failure(.unavailable, "\(subject()): \(nodeName), which answered for the key, was given up with what it has"))
    }
    if owns(slot) || owner(of: slot) == nil && held == nil { return .own(held?.layout.say(slot.group) ?? .alone) }
    guard let (owner, others) = owners(of: slot) else {
      let name = layout?.coordinator(of: slot).name ?? ""
      return .refused(
        Failure(.unavailable, "\(subject()): \(name) answers for the key, and \(nodeName) does not know its address"))
    }
    guard let mark else { return .peer(owner, others: others) }
    return .refused(
      Failure(
        .misdirected,
        "\(subject()): \(mark.node) takes \(nodeName) for the owner, but it is \(owner.name); "
          + (layout == nil ? "is Name= the same on two nodes?" : "their layouts differ")))
  }

  /// Whether a node goes by a later layout than this one.
  package func isBehind(_ mark: RelayMark) -> Bool {
    guard let other = mark.layout else { return false }
    guard let own = relayMark.layout else { return true }
    return other.cluster == own.cluster && other.version > own.version
  }

  /// What to tell a node that goes by another peer list, or belongs to another cluster; nil where both agree. Where both
  /// have a layout, their lists do not count.
  package func disagreement(with mark: RelayMark, about subject: String) -> Failure? {
    if let own = relayMark.layout, let other = mark.layout {
      guard other.cluster != own.cluster else { return nil }
      return Failure(.misdirected, "\(subject): \(mark.node) and \(nodeName) belong to different clusters")
    }
    guard mark.fingerprint != fingerprint else { return nil }
    return Failure(
      .misdirected,
      "\(subject): \(mark.node) and \(nodeName) have different peer lists "
        + "(fingerprints \(mark.fingerprint) and \(fingerprint)); make [Peers] the same on every node")
  }

  /// What to tell a node that asks for this one's part of a listing and divides the keys otherwise: some would be missing.
  package func listingDisagreement(with mark: RelayMark) -> Failure? {
    if let failure = disagreement(with: mark, about: "LIST") { return failure }
    guard let own = layout?.version, let other = mark.layout?.version, own != other else { return nil }
    return Failure(.misdirected, "LIST: \(mark.node) and \(nodeName) go by different layouts, \(other) and \(own)")
  }

  private static func hexDigits(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}

/// A layout is large, and what holds a topology is often copied.
private final class HeldLayout: Sendable {
  let layout: Layout

  init(_ layout: Layout) { self.layout = layout }
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

  /// The first slot behind the range in which this one is.
  func rangeEnd(of slot: Slot) -> Slot? {
    let range = min(max(slot.number - 1, 0) / slotsPerNode, nodeCount)
    let end = (range + 1) * slotsPerNode + 1
    return range < nodeCount && end < Slot.count ? Slot(number: end) : nil
  }
}
