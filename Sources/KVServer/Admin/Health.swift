import KVLinux
import Synchronization

/// Whether this node can do its work, as its last self-check found.
final class Health: Sendable {
  /// What a check found.
  enum Verdict: Equatable, Sendable {
    case healthy
    /// The reason, in words.
    case unhealthy(String)
  }

  private struct State {
    var verdict = Verdict.unhealthy("starting")
    var checkedAt = Instant.now
  }

  private let state = Mutex(State())

  /// Takes in what a check found.
  func record(_ verdict: Verdict) {
    state.withLock { $0 = State(verdict: verdict, checkedAt: .now) }
  }

  /// The last verdict; a check that is overdue is a bad sign itself, since it waits for a disk or a thread.
  func verdict(maximumAge: Duration) -> Verdict {
    let state = state.withLock { $0 }
    let age = Instant.now.since(state.checkedAt)
    return age <= maximumAge
      ? state.verdict : .unhealthy("the self-check has not come back for \(age.components.seconds) s")
  }
}
