/// What a node says of itself when it relays a request: by it the owner finds out disagreements and loops.
public struct RelayMark: Equatable, Sendable {
  /// The relaying node's name.
  public let node: String
  /// The fingerprint of the peer list that the relaying node goes by.
  public let fingerprint: String

  /// A mark to be sent or as received.
  public init(node: String, fingerprint: String) {
    self.node = node
    self.fingerprint = fingerprint
  }
}
