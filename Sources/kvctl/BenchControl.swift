import KVLinux
import Synchronization

/// Tells the workers of a bench when to stop.
final class BenchControl: Sendable {
  private struct State {
    var remaining: Int?
    var deadline: Instant?
    var isStopped = false
    var movedBytes = 0
    var error: CommandError?
  }

  private let state = Mutex(State())

  /// Lets operations begin, until the limits of the plan are reached.
  func begin(_ plan: BenchPlan) {
    state.withLock { state in
      state.remaining = plan.operationsMax
      state.deadline = plan.duration.map { Instant.after($0) }
    }
  }

  /// Whether there is to be another operation; counts it.
  func takeOperation() -> Bool {
    let now = Instant.now
    return state.withLock { state in
      guard !state.isStopped, state.deadline.map({ now < $0 }) ?? true else { return false }
      guard let remaining = state.remaining else { return true }
      guard remaining > 0 else { return false }
      state.remaining = remaining - 1
      return true
    }
  }

  /// Ends it all; the first error is the one that is told.
  func stop(_ error: CommandError? = nil) {
    state.withLock { state in
      state.isStopped = true
      state.error = state.error ?? error
    }
  }

  /// Why it was stopped, where something went wrong.
  var error: CommandError? { state.withLock { $0.error } }

  var isStopped: Bool { state.withLock { $0.isStopped } }

  /// How many bytes have moved.
  var movedBytes: Int { state.withLock { $0.movedBytes } }

  func moved(_ byteCount: Int) { state.withLock { $0.movedBytes += byteCount } }
}
