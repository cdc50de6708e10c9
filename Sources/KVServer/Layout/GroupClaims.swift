import KVCluster
import KVCore
import KVLinux
import Synchronization

/// Which groups are being brought here, and when those that could not be are tried again.
final class GroupClaims: Sendable {
  /// What came of trying to bring a group.
  enum Attempt: Sendable {
    case arrived
    /// Nodes went by different layouts, which passes by itself.
    case passing
    case obstructed
  }

  /// How long after an obstacle a group is tried again. After one that passes by itself it is less the first time, and twice
  /// as long each further time.
  private static let retryPause = Duration.seconds(1)
  private static let quickRetryPause = Duration.milliseconds(20)

  private struct Retry {
    let goal: SyncedGroup
    let due: Instant
    let pause: Duration
  }

  private struct State {
    var taken: Set<UInt8> = []
    var retries: [UInt8: Retry] = [:]
  }

  private let state = Mutex(State())

  /// The first of them that nobody brings and that need not wait. It is to be finished.
  func take(from goals: [SyncedGroup], at now: Instant) -> SyncedGroup? {
    state.withLock { state in
      let goal = goals.first { goal in
        guard !state.taken.contains(goal.group) else { return false }
        guard let retry = state.retries[goal.group], retry.goal == goal else { return true }
        return now >= retry.due
      }
      if let goal { state.taken.insert(goal.group) }
      return goal
    }
  }

  func finish(_ goal: SyncedGroup, _ attempt: Attempt, at now: Instant) {
    state.withLock { state in
      state.taken.remove(goal.group)
      let before = state.retries.removeValue(forKey: goal.group).flatMap { $0.goal == goal ? $0.pause : nil }
      let pause: Duration
      switch attempt {
      case .arrived: return
      case .passing: pause = min(before.map { $0 * 2 } ?? Self.quickRetryPause, Self.retryPause)
      case .obstructed: pause = Self.retryPause
      }
      state.retries[goal.group] = Retry(goal: goal, due: now.advanced(by: pause), pause: pause)
    }
  }
}
