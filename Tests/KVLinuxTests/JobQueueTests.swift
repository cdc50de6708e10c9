import Synchronization
import Testing
import TestSupport

@testable import KVLinux

/// Keeps the jobs of the tasks that prefer it until it is told to run them.
private final class PatientExecutor: TaskExecutor {
  private let queue = Mutex(JobQueue())

  var count: Int { queue.withLock { $0.count } }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.withLock { $0.append(job) }
  }

  /// Runs the first job; false where there is none.
  func runFirst() -> Bool {
    guard let job = queue.withLock({ $0.popFirst() }) else { return false }
    job.runSynchronously(on: asUnownedTaskExecutor())
    return true
  }
}

private final class Log: Sendable {
  private let entries = Mutex<[Int]>([])

  var all: [Int] { entries.withLock { $0 } }

  func append(_ entry: Int) { entries.withLock { $0.append(entry) } }
}

@Suite struct JobQueueTests {
  @Test func anEmptyQueueHasNoJob() {
    var queue = JobQueue()
    #expect(queue.count == 0)
    #expect(queue.popFirst() == nil)
    #expect(queue.count == 0)
  }

  @Test(arguments: [1, 2, 63, 64, 65, 127, 128, 129, 1000])
  func jobsComeInOrder(count: Int) {
    let (executor, log) = (PatientExecutor(), Log())
    for _ in 0..<2 {
      for number in 0..<count { Task(executorPreference: executor) { log.append(number) } }
      #expect(executor.count == count)
      while executor.runFirst() {}
      #expect(executor.count == 0)
    }
    #expect(log.all == Array(0..<count) + Array(0..<count))
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func pushesAndPopsInTurnKeepTheOrder(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let (executor, log) = (PatientExecutor(), Log())
    var (pushed, popped) = (0, 0)
    for _ in 0..<300 {
      for _ in 0..<Int.random(in: 0...60, using: &generator) {
        let number = pushed
        Task(executorPreference: executor) { log.append(number) }
        pushed += 1
      }
      for _ in 0..<Int.random(in: 0...60, using: &generator) where executor.runFirst() { popped += 1 }
      #expect(executor.count == pushed - popped)
    }
    while executor.runFirst() { popped += 1 }
    #expect(popped == pushed)
    #expect(log.all == Array(0..<pushed))
  }
}
