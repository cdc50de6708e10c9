import KVCore
import KVLinux
import Synchronization

/// Idle connections to other nodes, kept for the next request.
final class PeerConnections: Sendable {
  private struct Idle {
    let stream: Handoff<Stream>
    let since: Instant
  }

  /// How many idle connections to one node are kept.
  private static let idleMax = 64
  /// How long they are kept: shorter than nodes wait for another request by default, so that few are found closed.
  private static let idleTimeout = Duration.seconds(30)

  private let idle = Mutex<[PeerAddress: [Idle]]>([:])

  /// The connection used last, unless it has been idle too long or the other side has closed it.
  func take(_ address: PeerAddress) -> Stream? {
    while let candidate = idle.withLock({ $0[address]?.popLast() }) {
      let stream = candidate.stream.take()
      guard Instant.now.since(candidate.since) < Self.idleTimeout else {
        // Those below it have been idle even longer.
        clear(address)
        return nil
      }
      if (try? stream.socket.peek()) == .wouldBlock { return stream }
    }
    return nil
  }

  /// Keeps a connection whose last exchange is complete.
  func put(_ stream: consuming Stream, _ address: PeerAddress) {
    let entry = Idle(stream: Handoff(stream), since: .now)
    // Closed outside the lock, when the dropped entry goes away.
    _ = idle.withLock { idle -> Idle? in
      idle[address, default: []].append(entry)
      guard idle[address, default: []].count > Self.idleMax else { return nil }
      return idle[address]?.removeFirst()
    }
  }

  /// Closes every idle connection, because the peer list has changed.
  func clear() {
    _ = idle.withLock { idle in
      let all = idle
      idle = [:]
      return all
    }
  }

  /// Closes the idle connections to one node.
  func clear(_ address: PeerAddress) {
    _ = idle.withLock { $0.removeValue(forKey: address) }
  }
}
