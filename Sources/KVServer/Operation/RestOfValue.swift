import KVCore
import KVDialect
import KVHTTP
import KVWire

/// Where the rest of a value is to be had whose source fails amid it: from other owners of the key that hold the very same.
struct RestOfValue {
  private let peers: Peers
  private let cluster: Cluster
  private let key: Key
  private var owners: [Peer]
  /// Which value it is; nil where nobody can tell it from another.
  var upload: UploadID?

  init(_ peers: Peers, _ cluster: Cluster, _ key: Key, _ owners: [Peer]) {
    (self.peers, self.cluster, self.key, self.owners) = (peers, cluster, key, owners)
  }

  /// Whether there are other owners.
  var hasOthers: Bool { !owners.isEmpty }

  /// Whether one of them can be asked for the same value.
  var isToBeHad: Bool { upload != nil && hasOthers }

  /// A connection on which those bytes of the value come next; nil where nobody has them.
  mutating func next(_ offsets: Range<Int>) async -> PeerConnection? {
    guard let upload, !offsets.isEmpty else { return nil }
    var asked = ValueRequest(.get, key)
    asked.upload = upload
    asked.range = "bytes=\(offsets.lowerBound)-\(offsets.upperBound - 1)"
    // Whoever is only slow is waited for when all have been asked.
    for timeout in [cluster.limits.connectTimeout, cluster.limits.idleTimeout] {
      for (index, owner) in owners.enumerated() {
        do throws(ExchangeError) {
          let connection = try await connection(to: owner, asked, offsets, within: timeout)
          owners.remove(at: index)
          return connection
        } catch { continue }
      }
    }
    return nil
  }

  private func connection(
    to owner: Peer, _ asked: ValueRequest, _ offsets: Range<Int>, within timeout: Duration
  ) async throws(ExchangeError) -> PeerConnection {
    let link = PeerLink(peers: peers, peer: owner, limits: cluster.limits, subject: asked.subject)
    var connection = try await link.connect(isRepeatable: true)
    connection.answerTimeout = timeout
    let answer = try await link.ask(
      PeerProtocol.head(asked, to: owner, mark: cluster.topology.relayMark), &connection)
    guard case .value(let head) = try await link.response(answer, to: asked, isAllSent: true, &connection),
      head.offsets == offsets
    else { throw .refused(Failure(.unavailable, "\(asked.subject): \(owner) does not have the rest")) }
    return connection
  }
}
