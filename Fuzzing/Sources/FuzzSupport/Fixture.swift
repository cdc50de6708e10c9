import KVCore

/// What requests are passed on with.
public enum Fixture {
  /// The time of day.
  public static let now = HTTPDate(secondsSince1970: 1_700_000_000)
  /// The node that owns all keys.
  public static let owner = Peer(name: "node2", address: PeerAddress(host: .address(.v4(0xC000_020C))))
  /// The node that asks it.
  public static let mark = RelayMark(node: "node1", fingerprint: "0123456789abcdef")
}
