import KVCore

/// A node that can be asked: a peer of the configuration, or an address from the command line.
struct Endpoint: Equatable, Sendable, CustomStringConvertible {
  /// The node's name, where it is known.
  let name: String?
  let address: PeerAddress

  init(_ peer: Peer) {
    name = peer.name
    address = peer.address
  }

  init(_ address: PeerAddress) {
    name = nil
    self.address = address
  }

  /// `node2 (192.0.2.12:7776)`, or the address alone.
  var description: String { name.map { "\($0) (\(address))" } ?? "\(address)" }
}
