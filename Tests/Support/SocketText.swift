import KVLinux

extension Socket {
  /// The other side's address as text.
  package var peerAddress: String { peer?.description ?? "a closed connection" }
  /// This side's address as text.
  package var localAddress: String { local?.description ?? "no address" }
}
