import Synchronization

/// Hands jobs from one task to several, in order. It holds a few; whoever adds to a full one waits.
final class JobQueue<Job: Sendable>: Sendable {
  private struct State {
    var jobs: [Job] = []
    var isFinished = false
    var takers: [CheckedContinuation<Job?, Never>] = []
    var giver: CheckedContinuation<Void, Never>?
  }

  private let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int) { self.capacity = capacity }

  /// Adds a job. Only one task may add.
  func add(_ job: Job) async {
    let isFull = state.withLock { state in
      if let taker = state.takers.popLast() {
        taker.resume(returning: job)
        return false
      }
      state.jobs.append(job)
      return state.jobs.count >= capacity
    }
    guard isFull else { return }
    await withCheckedContinuation { continuation in
      state.withLock { state in
        if state.jobs.count < capacity { continuation.resume() } else { state.giver = continuation }
      }
    }
  }

  /// Takes the next job, or nil where there will be none.
  func take() async -> Job? {
    await withCheckedContinuation { continuation in
      state.withLock { state in
        guard state.jobs.isEmpty else {
          continuation.resume(returning: state.jobs.removeFirst())
          if let giver = state.giver {
            state.giver = nil
            giver.resume()
          }
          return
        }
        if state.isFinished { continuation.resume(returning: nil) } else { state.takers.append(continuation) }
      }
    }
  }

  /// Says that no job will follow.
  func finish() {
    state.withLock { state in
      state.isFinished = true
      for taker in state.takers { taker.resume(returning: nil) }
      state.takers = []
    }
  }
}
