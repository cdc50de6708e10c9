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

/// Who came when.
private final class Order: Sendable {
  let names = Mutex<[String]>([])
}

@Suite(.timeLimit(.minutes(10))) struct IOExecutorTests {
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

  /// A wait for what cannot be watched, such as a regular file, must not be tried again and again for ever.
  @Test func aDescriptorThatCannotBeWatchedFailsItsWait() async throws {
    try await onExecutor {
      let file = try File(path: "/proc/self/exe")
      let wakeup = await IOExecutor.current.wait(for: .readable(file.descriptor), until: .after(.seconds(3600)))
      #expect(wakeup == .failed(SystemError(call: "epoll_ctl", code: EPERM)))
    }
  }

  @Test func anInterrupterEndsTheWaitUnderWayAndEachLaterOne() async throws {
    try await onExecutor {
      let interrupter = Interrupter()
      let executor = IOExecutor.current
      async let waiting = executor.wait(until: .after(.seconds(3600)), by: interrupter)
      interrupter.interrupt()
      #expect(await waiting == .interrupted)
      #expect(await executor.wait(until: .after(.seconds(3600)), by: interrupter) == .interrupted)
    }
  }

  /// Fails where whoever pauses goes ahead of who has been woken: with one thread the order is certain.
  @Test func whoIsWokenGoesAheadOfThoseThatPause() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    let order = Order()
    try await onExecutor(executor) {
      let pair = try await Loopback.pair()
      let far = pair.far.take()
      await withDiscardingTaskGroup { group in
        for number in 0..<8 {
          group.addTask(executorPreference: executor) {
            for _ in 0..<3 {
              await IOExecutor.pause()
              order.names.withLock { $0.append("paused \(number)") }
            }
          }
        }
        group.addTask(executorPreference: executor) {
          let near = pair.near.take()
          _ = await executor.wait(for: .readable(near.descriptor), until: .after(.seconds(3600)))
          order.names.withLock { $0.append("woken") }
        }
        // Once all of them pause and the last one waits.
        for _ in 0..<2 { await IOExecutor.pause() }
        _ = try? Array("x".utf8).withBytes { bytes throws(SystemError) in try far.send(bytes) }
      }
    }
    let woken = order.names.withLock { $0 }.firstIndex(of: "woken") ?? .max
    // All but those of the first round come later.
    #expect(woken <= 17)
  }

  @Test func bulkGoesOnBesidePromptTasksWithoutEnd() async throws {
    let executor = TestExecutor.make(threadCount: 1)
    let order = Order()
    try await onExecutor(executor) {
      await withDiscardingTaskGroup { group in
        group.addTask(executorPreference: executor) {
          while order.names.withLock({ $0.isEmpty }) { await Task.yield() }
        }
        group.addTask(executorPreference: executor) {
          for _ in 0..<100 { await IOExecutor.pause() }
          order.names.withLock { $0.append("done") }
        }
      }
    }
    #expect(order.names.withLock { $0 } == ["done"])
  }
}
