/// Who may connect, by address. Addresses can be forged on an open network; docs/security.md says what this is worth.
public struct Access: Sendable, Equatable {
  /// Where clients may connect from; empty for anywhere.
  public var allowedClients: [AddressBlock] = []
  /// Where relayed requests may come from; empty for anywhere.
  public var allowedPeers: [AddressBlock] = []

  /// Whether there is no restriction at all.
  public var isOpen: Bool { allowedClients.isEmpty && allowedPeers.isEmpty }

  /// Whether a connection from the address is taken at all: before its request is read, a node cannot be told from
  /// a client.
  public func permitsConnection(from address: IPAddress) -> Bool {
    allowedClients.isEmpty || contains(allowedClients, address) || contains(allowedPeers, address)
  }

  /// Whether requests from the address may be a client's.
  public func permitsClient(at address: IPAddress) -> Bool {
    allowedClients.isEmpty || contains(allowedClients, address)
  }

  /// Whether requests from the address may be relayed ones.
  public func permitsPeer(at address: IPAddress) -> Bool {
    allowedPeers.isEmpty || contains(allowedPeers, address)
  }

  private func contains(_ blocks: [AddressBlock], _ address: IPAddress) -> Bool {
    blocks.contains { $0.contains(address) }
  }
}
