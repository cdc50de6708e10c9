import KVCluster
import KVCore
import Logging
import Synchronization

/// How the other nodes have fared with requests, so that a silent one is not waited for again and again.
final class PeerWatch: Sendable {
  private struct State {
    var suspicions: [PeerAddress: PeerSuspicion] = [:]
    /// When a request last told how a node fares.
    var heardAt: [PeerAddress: Instant] = [:]
  }

  private let state = Mutex(State())
  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  /// Whether a request may go to the node, or why it fails at once.
  func verdict(_ peer: Peer) -> PeerSuspicion.Verdict {
    state.withLock { $0.suspicions[peer.address, default: PeerSuspicion()].request(at: .now) }
  }

  /// When it last reacted, or kept somebody waiting.
  func heardAt(_ peer: Peer) -> Instant? { state.withLock { $0.heardAt[peer.address] } }

  /// The node reacted to a request, if only by refusing a connection.
  func reacted(_ peer: Peer) {
    let change = state.withLock { state in
      state.heardAt[peer.address] = .now
      return state.suspicions[peer.address]?.reacted()
    }
    guard case .cleared = change else { return }
    logger.notice("\(peer) reacts again: requests go to it", metadata: ["peer": "\(peer.name)"])
  }

  /// The node kept a request waiting in vain.
  func keptWaiting(_ peer: Peer, reason: String) {
    let change = state.withLock { state in
      state.heardAt[peer.address] = .now
      return state.suspicions[peer.address, default: PeerSuspicion()].keptWaiting(at: .now, reason: reason)
    }
    guard case .suspected(let pause) = change else { return }
    logger.warning(
      "\(peer) does not react (\(reason)): requests to it fail at once, and one tries again in \(pause)",
      metadata: ["peer": "\(peer.name)"])
  }

  /// Forgets everything, because the peer list has changed.
  func clear() { state.withLock { $0 = State() } }
}
