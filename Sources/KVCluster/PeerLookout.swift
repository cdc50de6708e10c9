import KVCore

/// Which of the other nodes are to be looked at, because nothing has been heard of them for a while: of a node that nobody
/// asks for anything it would otherwise not be known that it is down.
package struct PeerLookout: Sendable {
  /// How long after the last word of a node it is looked at. Not all are looked at together, nor by all at once: each time
  /// it is somewhere between the two.
  package static let pauseMin = Duration.seconds(8)
  package static let pauseMax = Duration.seconds(12)

  private struct Entry {
    /// When something was last heard, or asked.
    var since: Instant
    var pause: Duration
  }

  private var entries: [PeerAddress: Entry] = [:]

  /// Nobody has been looked at.
  package init() {}

  /// Those of the peers that are due, which count as looked at from now on. `heardAt` says when a node last told by a
  /// request how it fares, and `chance` is from 0 to 1, anew each time.
  package mutating func due(
    among peers: [Peer], at now: Instant, heardAt: (Peer) -> Instant?, chance: () -> Double
  ) -> [Peer] {
    var due: [Peer] = []
    var next: [PeerAddress: Entry] = [:]
    for peer in peers {
      // One that is new is looked at soon, but at some time of its own.
      var entry = entries[peer.address] ?? Entry(since: now, pause: Self.pauseMin * chance())
      if let heard = heardAt(peer), heard > entry.since { entry = Entry(since: heard, pause: Self.pause(chance())) }
      if now.since(entry.since) >= entry.pause {
        due.append(peer)
        entry = Entry(since: now, pause: Self.pause(chance()))
      }
      next[peer.address] = entry
    }
    entries = next
    return due
  }

  private static func pause(_ chance: Double) -> Duration { pauseMin + (pauseMax - pauseMin) * chance }
}
