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
    var space = Directory.Space(freeBytes: 0, totalBytes: 0)
  }

  private let state = Mutex(State())

  /// The space of the file system with the values as the last check found it; zero where it could not be had.
  ///
  /// Whoever only wants to know does not ask the disk, which may hang: then this is told all the same.
  var space: Directory.Space { state.withLock { $0.space } }

  /// Takes in what a check found.
  func record(_ verdict: Verdict, _ space: Directory.Space) {
    state.withLock { $0 = State(verdict: verdict, checkedAt: .now, space: space) }
  }

  /// The last verdict; a check that is overdue is a bad sign itself, since it waits for a disk or a thread.
  func verdict(maximumAge: Duration) -> Verdict {
    let state = state.withLock { $0 }
    let age = Instant.now.since(state.checkedAt)
    return age <= maximumAge
      ? state.verdict : .unhealthy("the self-check has not come back for \(age.components.seconds) s")
  }
}
