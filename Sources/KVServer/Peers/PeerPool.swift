import KVCore
import KVLinux
import KVWire
import Synchronization

/// Idle connections to other nodes, kept for the next request.
final class PeerPool: Sendable {
  private struct Idle {
    let stream: Handoff<Stream>
    let since: Instant
  }

  /// How many idle connections to one node are kept.
  private static let idleMax = 64

  /// How long they are kept.
  private let idleTimeout: Duration
  private let idle = Mutex<[PeerAddress: [Idle]]>([:])
  /// What new encrypted connections go on with, so that they need no certificates.
  private let earlier = Mutex<[PeerAddress: TLSResumption]>([:])

  /// The default is shorter than nodes wait for another request by default, so that few are found closed.
  init(idleTimeout: Duration = .seconds(30)) { self.idleTimeout = idleTimeout }

  /// The connection used last, unless it has been idle too long or the other side has closed it.
  func take(_ address: PeerAddress) -> Stream? {
    while let candidate = idle.withLock({ $0[address]?.popLast() }) {
      let stream = candidate.stream.take()
      guard Instant.now.since(candidate.since) < idleTimeout else {
        // Those below it have been idle even longer.
        clear(address)
        return nil
      }
      if !stream.hasArrived { return stream }
    }
    return nil
  }

  /// Keeps a connection whose last exchange is complete, and on which nothing more has come.
  func put(_ stream: consuming Stream, _ address: PeerAddress) {
    // What is unread would be taken for the answer to whoever asks next.
    guard stream.unread.isEmpty else { return }
    let entry = Idle(stream: Handoff(stream), since: .now)
    // Closed outside the lock, when the dropped entry goes away.
    _ = idle.withLock { idle -> Idle? in
      idle[address, default: []].append(entry)
      guard idle[address, default: []].count > Self.idleMax else { return nil }
      return idle[address]?.removeFirst()
    }
  }

  /// Keeps what the next encrypted connection to the node can go on with.
  func keep(_ resumption: TLSResumption, _ address: PeerAddress) { earlier.withLock { $0[address] = resumption } }

  /// What the next encrypted connection to the node goes on with.
  func resumption(_ address: PeerAddress) -> TLSResumption? { earlier.withLock(\.self)[address] }

  /// Closes the connections that have been idle too long: they are of no use here, and take a place at the other node.
  func closeExpired() {
    let now = Instant.now
    // Closed outside the lock, when the list goes away.
    _ = idle.withLock { idle -> [ArraySlice<Idle>] in
      var expired: [ArraySlice<Idle>] = []
      for (address, entries) in idle {
        let old = entries.prefix { now.since($0.since) >= idleTimeout }
        idle[address] = old.count == entries.count ? nil : Array(entries.dropFirst(old.count))
        expired.append(old)
      }
      return expired
    }
  }

  /// Closes every idle connection, because the peer list has changed.
  func clear() {
    earlier.withLock { $0 = [:] }
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
