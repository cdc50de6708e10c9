import KVCore
import KVLinux

/// The cluster as this node's configuration describes it: who is in it, and who owns what.
public struct Cluster: Sendable {
  /// Where a request goes.
  enum Route: Sendable {
    case own
    case peer(Peer)
    case refused(Failure)

    /// The other node, where the request goes to one.
    var peer: Peer? { if case .peer(let peer) = self { peer } else { nil } }
  }

  /// The configuration this view was made of.
  public let configuration: Configuration
  /// Sixteen hex digits that stand for the peer list, its order and the placement rule. Nodes that agree on
  /// them agree on the owner of every key.
  public let fingerprint: String
  private let placement: Placement
  private let ownIndex: Int

  /// The view of a configuration that has been checked.
  public init(_ configuration: Configuration) {
    self.configuration = configuration
    let peers = configuration.peers
    placement = Placement(nodeCount: max(peers.count, 1))
    ownIndex = peers.firstIndex { $0.name == configuration.nodeName } ?? 0
    let canonical = "ranges\n" + peers.map { "\($0.name)=\($0.address)\n" }.joined()
    fingerprint = MD5.digest(Array(canonical.utf8)).prefix(8).map(Self.hexDigits).joined()
  }

  /// How many slots this node owns, of 65,536.
  public var ownSlotCount: Int {
    (0..<Slot.count).count { placement.owner(of: Slot(number: $0)) == ownIndex }
  }

  /// What this node tells others when it relays to them.
  var relayMark: RelayMark { RelayMark(node: configuration.nodeName, fingerprint: fingerprint) }

  /// Where a request goes. A request that was relayed here is never relayed on, so no pair of
  /// configurations can make a loop.
  func route(_ request: Request) -> Route {
    let owner = placement.owner(of: request.key.slot)
    guard let mark = request.relayed else {
      return owner == ownIndex ? .own : .peer(configuration.peers[owner])
    }
    if let failure = disagreement(with: mark, about: request.subject) { return .refused(failure) }
    guard owner == ownIndex else {
      return .refused(
        Failure(
          .misdirected,
          "\(request.subject): \(mark.node) takes \(configuration.nodeName) for the owner, but it is "
            + "\(configuration.peers[owner].name); is Name= the same on two nodes?"))
    }
    return .own
  }

  /// What to tell a node that goes by another peer list, or nil where both agree.
  func disagreement(with mark: RelayMark, about subject: String) -> Failure? {
    guard mark.fingerprint != fingerprint else { return nil }
    return Failure(
      .misdirected,
      "\(subject): \(mark.node) and \(configuration.nodeName) have different peer lists "
        + "(fingerprints \(mark.fingerprint) and \(fingerprint)); make [Peers] the same on every node")
  }

  /// Whether this node owns the slot.
  func owns(_ slot: Slot) -> Bool { placement.owner(of: slot) == ownIndex }

  /// The other nodes.
  var otherPeers: [Peer] { configuration.peers.filter { $0.name != configuration.nodeName } }

  private static func hexDigits(_ byte: UInt8) -> String {
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
}
