import KVLinux
import Synchronization

/// Tells the workers of a bench when to stop.
final class BenchControl: Sendable {
  private struct State {
    var operationsTaken = 0
    var operationsMax: Int?
    var deadline: Instant?
    var isStopped = false
    var movedBytes = 0
    var error: CommandError?
  }

  private let state = Mutex(State())

  /// Lets operations begin, until the limits of the plan are reached.
  func begin(_ plan: BenchPlan) {
    state.withLock { state in
      state.operationsMax = plan.operationsMax
      state.deadline = plan.duration.map { Instant.after($0) }
    }
  }

  /// The number of the next operation, counted from 0 over all workers; nil where there is to be no other.
  func takeOperation() -> Int? {
    let now = Instant.now
    return state.withLock { state in
      let isDue = state.deadline.map { now >= $0 } ?? false
      let isEnough = state.operationsMax.map { state.operationsTaken >= $0 } ?? false
      guard !state.isStopped, !isDue, !isEnough else { return nil }
      state.operationsTaken += 1
      return state.operationsTaken - 1
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
