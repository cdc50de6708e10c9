import Synchronization

/// Ends a wait of another task: the one that is under way, or else the next.
package final class Interrupter: Sendable {
  private struct State {
    var isAsked = false
    var executor: IOExecutor?
    var token: UInt64 = 0
  }

  private let state = Mutex(State())

  /// One that has not been asked yet.
  package init() {}

  /// Ends the wait that it was given to.
  package func interrupt() {
    let (executor, token) = state.withLock { state in
      state.isAsked = true
      return (state.executor, state.token)
    }
    executor?.finish(token, .interrupted)
  }

  /// Takes note of a wait; false where it is to end at once.
  func attach(_ executor: IOExecutor, token: UInt64) -> Bool {
    state.withLock { state in
      (state.executor, state.token) = (executor, token)
      return !state.isAsked
    }
  }
}
