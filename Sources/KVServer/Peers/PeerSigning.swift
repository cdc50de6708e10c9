import KVCore
import KVDialect
import KVHTTP
import KVLinux

/// Shows another node that this one knows the cluster's secret. Each connection to a node holds it, so it is shared.
final class PeerSigning: Sendable {
  private let secret: ClusterSecret
  /// Whom it is shown to: no other takes it for its own.
  private let peerName: String

  init(_ secret: ClusterSecret, _ peerName: String) { (self.secret, self.peerName) = (secret, peerName) }

  /// The head, signed.
  func signed(_ head: HTTPRequestHead) -> HTTPRequestHead {
    var head = head
    PeerSignature.sign(
      &head, for: peerName, nonce: .random(count: PeerSignature.nonceByteCount), code: secret.code)
    return head
  }
}

extension Peers {
  /// What a node is shown with each request; nil without a secret.
  func signing(for peer: Peer) -> PeerSigning? { secret().map { PeerSigning($0, peer.name) } }

  /// The head of a message with that body.
  func messageHead(
    _ body: [UInt8], to peer: Peer, _ cluster: Cluster, asksFirst: Bool = false
  ) -> HTTPRequestHead {
    var head = PeerProtocol.messageHead(
      to: peer, mark: cluster.topology.relayMark, byteCount: body.count, asksFirst: asksFirst)
    if secret() != nil { PeerSignature.cover(SHA256.digest(body), by: &head) }
    return head
  }
}
