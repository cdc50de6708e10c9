/// One node of the cluster, this one included: a line of `[Peers]`.
public struct Peer: Sendable, Hashable, CustomStringConvertible {
  /// The node's name, see `NodeName`.
  public let name: String
  /// Where the other nodes reach it.
  public let address: PeerAddress

  /// A peer of this name at this address.
  public init(name: String, address: PeerAddress) {
    self.name = name
    self.address = address
  }

  /// The peer as it is named in messages: `node2 (192.0.2.12:7776)`.
  public var description: String { "\(name) (\(address))" }
}
