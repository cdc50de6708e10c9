import KVCore
import KVHTTP

/// What requests are passed on with.
package enum Fixture {
  /// The time of day.
  package static let now = HTTPDate(secondsSince1970: 1_700_000_000)
  /// The node that owns all keys.
  package static let owner = Peer(name: "node2", address: PeerAddress(host: .address(.v4(0xC000_020C))))
  /// The node that asks it.
  package static let mark = RelayMark(node: "node1", fingerprint: "0123456789abcdef")
}
