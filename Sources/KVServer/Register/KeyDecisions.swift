import KVCluster
import KVCore

/// What is decided about a key, as far as that can be found out.
enum Decision: Sendable {
  /// This, or nothing, and who may have it.
  case chosen(Held?, holders: [Member])
  /// An owner goes by another layout.
  case moved
  /// Too few owners answer.
  case unavailable
}

/// Finds out what is decided about keys. A test can stand in for it.
protocol KeyDecisions: Sendable {
  /// Whether what lies on this node's disk counts.
  var mayVote: Bool { get }
  /// What is decided about a key; a round settles it where its owners differ.
  func decision(_ key: Key, _ layout: Layout) async -> Decision
}

extension RoundRunner: KeyDecisions {
  var mayVote: Bool { calls.layouts.mayVote }

  func decision(_ key: Key, _ layout: Layout) async -> Decision {
    switch await read(key, layout) {
    case .chosen(let held, let holders, _)?: return .chosen(held, holders: holders)
    case .unavailable?: return .unavailable
    case nil: return .moved
    case .unsettled?: break
    }
    // No other disk may ever have run a round at the same ballot.
    guard mayVote, calls.layouts.current.value.topology.ownMember != nil else { return .unavailable }
    switch await run(.certainty, key, layout).outcome {
    case .chosen(let held): return .chosen(held, holders: layout.view(of: key.slot).voters)
    case .moved: return .moved
    case .refused, .notWritten, .unknown: return .unavailable
    }
  }
}
