import Glibc
import KVCore
import KVWire
import Synchronization
import Testing
import TestSupport

@testable import KVLinux

private final class Counters: Sendable {
  private let counts: Mutex<[Int]>

  init(_ count: Int) { counts = Mutex([Int](repeating: 0, count: count)) }

  var all: [Int] { counts.withLock { $0 } }

  func increment(_ index: Int) { counts.withLock { $0[index] += 1 } }
}

@Suite(.timeLimit(.minutes(1))) struct IOExecutorTests {
  private func wait(readable socket: borrowing Socket, until deadline: Instant? = nil) async -> IOExecutor.Wakeup {
    await IOExecutor.current.wait(for: .readable(socket.descriptor), until: deadline)
  }

  private func send(_ socket: borrowing Socket) throws { _ = try socket.send(([1] as [UInt8]).span.bytes) }

  private func receive(_ socket: borrowing Socket) throws -> Bool {
    var byte: [UInt8] = [0]
    var span = byte.mutableSpan
    var bytes = span.mutableBytes
    return try socket.receive(into: &bytes, bytesMax: 1) == .moved(1)
  }

  @Test func runsTasksOnItsThreads() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      #expect(IOExecutor.current === executor)
      await Task.yield()
      #expect(IOExecutor.current === executor)
      async let child = IOExecutor.current
      #expect(await child === executor)
    }
    #expect(ThreadLocals.context == nil)
  }

  @Test func trapsWhereThereIsNone() async {
    await #expect(processExitsWith: .failure) { _ = IOExecutor.current }
  }

  @Test func aThreadThatIsNoneOfItsOwnCanWaitForWork() {
    let executor = TestExecutor.make(threadCount: 1)
    let counters = Counters(1)
    executor.runToEnd {
      await Task.yield()
      counters.increment(0)
    }
    #expect(counters.all == [1])
  }

  @Test func tasksThatYieldTakeTurns() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    let (taskCount, yieldCount) = (50, 200)
    try await onExecutor(executor) {
      let counters = Counters(taskCount)
      let spreads = await withTaskGroup(of: Int.self) { group in
        // All are in the queue before the first one runs: this task keeps the only thread.
        for index in 0..<taskCount {
          group.addTask {
            for _ in 0..<yieldCount {
              counters.increment(index)
              await Task.yield()
            }
            let counts = counters.all
            return (counts.max() ?? 0) - (counts.min() ?? 0)
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(counters.all == [Int](repeating: yieldCount, count: taskCount))
      #expect(spreads.allSatisfy { $0 <= 1 })
    }
  }

  @Test func yieldingTasksDoNotStarveAWaitingOne() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far
      let wakeups = Counters(1)
      let spinning = Task(executorPreference: executor) {
        try send(far.take())
        while wakeups.all == [0] { await Task.yield() }
      }
      #expect(await wait(readable: near) == .ready)
      wakeups.increment(0)
      try await spinning.value
    }
  }

  @Test func wakesForWhatIsReadyAlready() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      try send(far)
      for _ in 0..<100 { #expect(await wait(readable: near) == .ready) }
      #expect(await IOExecutor.current.wait(for: .writable(near.descriptor), until: nil) == .ready)
      #expect(await IOExecutor.current.wait(for: .readableOrWritable(far.descriptor), until: nil) == .ready)
    }
  }

  @Test func wakesForAnEndAndAnError() async throws {
    try await onExecutor {
      let (ended, broken) = (try await Loopback.pair(), try await Loopback.pair())
      let endedNear = ended.near.take()
      let endedFar = ended.far.take()
      let brokenNear = broken.near.take()
      try endedFar.shutdownSending()
      #expect(await wait(readable: endedNear) == .ready)
      reset(broken.far.take())
      #expect(await wait(readable: brokenNear) == .ready)
      #expect(await IOExecutor.current.wait(for: .writable(brokenNear.descriptor), until: nil) == .ready)
    }
  }

  private func reset(_ socket: consuming Socket) { socket.setResetOnClose(true) }

  @Test(arguments: [true, false]) func waitsForTwo(isFirst: Bool) async throws {
    try await onExecutor {
      let (first, second) = (try await Loopback.pair(), try await Loopback.pair())
      let firstNear = first.near.take()
      let secondNear = second.near.take()
      let firstFar = first.far.take()
      let secondFar = second.far.take()
      // What one wait left armed must not disturb the next ones.
      for _ in 0..<200 {
        if isFirst { try send(firstFar) } else { try send(secondFar) }
        let wakeup = await IOExecutor.current.wait(
          for: .readable(firstNear.descriptor), or: .readable(secondNear.descriptor), until: nil)
        #expect(wakeup == .ready)
        #expect(try receive(firstNear) == isFirst)
        #expect(try receive(secondNear) == !isFirst)
      }
    }
  }

  @Test func deadlinesFireAndNotBefore() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      for milliseconds in [0, 1, 70] {
        let deadline = Instant.after(.milliseconds(milliseconds))
        #expect(await wait(readable: near, until: deadline) == .timedOut)
        #expect(Instant.now >= deadline)
      }
      _ = pair.far.take()
    }
  }

  @Test func sleepsWithoutADescriptor() async throws {
    try await onExecutor {
      let deadline = Instant.after(.milliseconds(20))
      #expect(await IOExecutor.current.wait(until: deadline) == .timedOut)
      #expect(Instant.now >= deadline)
    }
  }

  @Test func manyDeadlinesAllFire() async throws {
    try await onExecutor {
      await withTaskGroup(of: IOExecutor.Wakeup.self) { group in
        for index in 0..<500 {
          group.addTask { await IOExecutor.current.wait(until: .after(.milliseconds(index % 120))) }
        }
        for await wakeup in group { #expect(wakeup == .timedOut) }
      }
    }
  }

  @Test func aDeadlineEndsNoOtherWait() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      let pair = try await Loopback.pair()
      let near = pair.near
      let far = pair.far.take()
      let waiting = Task(executorPreference: executor) {
        await wait(readable: near.take(), until: .after(.seconds(3600)))
      }
      #expect(await executor.wait(until: .after(.milliseconds(1))) == .timedOut)
      try send(far)
      #expect(await waiting.value == .ready)
      #expect(await executor.wait(until: .after(.milliseconds(1))) == .timedOut)
    }
  }

  @Test func aTimedOutWaitLeavesNothingBehind() async throws {
    try await onExecutor {
      let pair = try await Loopback.pair()
      let near = pair.near.take()
      let far = pair.far.take()
      #expect(await wait(readable: near, until: .now) == .timedOut)
      try send(far)
      #expect(await wait(readable: near) == .ready)
      #expect(try receive(near))
      #expect(await wait(readable: near, until: .now) == .timedOut)
    }
  }

  @Test func cancellationEndsAWait() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      let pair = try await Loopback.pair()
      let near = pair.near
      let waiting = Task(executorPreference: executor) { await wait(readable: near.take()) }
      // The only thread runs the task up to its wait before it comes back to this one.
      await Task.yield()
      waiting.cancel()
      #expect(await waiting.value == .cancelled)
      _ = pair.far.take()
    }
  }

  @Test func aCancelledTaskDoesNotWait() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      let waiting = Task(executorPreference: executor) { await IOExecutor.current.wait(until: nil) }
      // The only thread is this task's, so that the other one has not begun.
      waiting.cancel()
      #expect(await waiting.value == .cancelled)
    }
  }

  @Test func cancellationRacesWithWakingUp() async throws {
    try await onExecutor {
      for _ in 0..<300 {
        let pair = try await Loopback.pair()
        let near = pair.near
        let far = pair.far.take()
        let waiting = Task(executorPreference: TestExecutor.shared) { await wait(readable: near.take()) }
        let cancelling = Task { waiting.cancel() }
        try send(far)
        #expect([.ready, .cancelled].contains(await waiting.value))
        await cancelling.value
      }
    }
  }

  @Test func interruptionEndsTheWaitsThatAllowIt() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    try await onExecutor(executor) {
      let pair = try await Loopback.pair()
      let near = pair.near
      let far = pair.far.take()
      let idle = Task(executorPreference: executor) { await executor.wait(until: nil, interruptible: true) }
      let busy = Task(executorPreference: executor) { await wait(readable: near.take()) }
      await Task.yield()
      executor.interruptWaits()
      #expect(await idle.value == .interrupted)
      #expect(await executor.wait(until: nil, interruptible: true) == .interrupted)
      #expect(await executor.wait(until: .now) == .timedOut)
      try send(far)
      #expect(await busy.value == .ready)
    }
  }

  @Test func aBlockedThreadHoldsUpNoOtherTask() async throws {
    let executor = TestExecutor.make(threadCount: 2)
    try await onExecutor(executor) {
      let (blocked, isBlocked) = (Semaphore(), Semaphore())
      let blocking = Task(executorPreference: executor) {
        isBlocked.signal()
        blocked.wait()
      }
      // This takes both threads for a moment, and then one for good.
      isBlocked.wait()
      try await exchange(count: 500)
      #expect(await executor.wait(until: .after(.milliseconds(1))) == .timedOut)
      blocked.signal()
      await blocking.value
    }
  }

  @Test func jobsThatComeAtOnceFindAllThreads() async {
    let executor = TestExecutor.make(threadCount: 2)
    for _ in 0..<5000 {
      // The first task holds a thread until the second one has run, so the wakes of both must not end in one.
      let hasRun = Semaphore()
      let first = Task(executorPreference: executor) { hasRun.wait() }
      let second = Task(executorPreference: executor) { hasRun.signal() }
      await first.value
      await second.value
    }
  }

  @Test(arguments: [1, 2, 4]) func tenThousandWaitsWakeUp(threadCount: Int) async throws {
    try await onExecutor(TestExecutor.make(threadCount: threadCount)) { try await exchange(count: 10_000) }
  }

  @Test func manyConnectionsShareTwoThreads() async throws {
    try await onExecutor {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<60 { group.addTask { try await exchange(count: 100) } }
        try await group.waitForAll()
      }
    }
  }

  /// Passes a byte to and fro between two tasks, each of which waits for its turn.
  private func exchange(count: Int) async throws {
    let pair = try await Loopback.pair()
    async let answers: Void = answer(pair.far, count: count)
    let near = pair.near.take()
    for _ in 0..<count {
      try send(near)
      while try !receive(near) { #expect(await wait(readable: near) == .ready) }
    }
    try await answers
  }

  private func answer(_ handoff: Handoff<Socket>, count: Int) async throws {
    let far = handoff.take()
    for _ in 0..<count {
      while try !receive(far) { #expect(await wait(readable: far) == .ready) }
      try send(far)
    }
  }

  @Test(arguments: [1, 2, 4]) func tenThousandJobsFromOtherThreadsRun(threadCount: Int) async {
    let executor = TestExecutor.make(threadCount: threadCount)
    let counters = Counters(1)
    for _ in 0..<10_000 {
      await Task(executorPreference: executor) { counters.increment(0) }.value
    }
    #expect(counters.all == [10_000])
  }

  @Test func jobsFromManyThreadsAtOnceAllRun() async {
    let executor = TestExecutor.make(threadCount: 3)
    let counters = Counters(1)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<20 {
        group.addTask {
          for _ in 0..<500 { await Task(executorPreference: executor) { counters.increment(0) }.value }
        }
      }
    }
    #expect(counters.all == [10_000])
  }
}
