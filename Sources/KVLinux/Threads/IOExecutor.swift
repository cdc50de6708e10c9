import CLinux
import Glibc
import KVCore
import Synchronization

/// Threads that run Swift tasks and wait for descriptors: a `TaskExecutor` whose threads share one epoll(7).
///
/// A task on such an executor does its system calls itself and, where one would block, awaits `wait`; the
/// thread then runs another task. So a slow client costs descriptors and never a thread, a call that blocks
/// on a disk holds up one thread and no other task, and the thread that the kernel wakes for a descriptor is
/// the one that goes on with its task: nothing is handed from thread to thread.
///
/// Executors live as long as the process.
package final class IOExecutor: TaskExecutor {
  /// Why a wait ended.
  package enum Wakeup: Sendable, Equatable {
    /// A descriptor may be ready; the system call will tell.
    case ready
    /// The deadline passed first.
    case timedOut
    /// The process is stopping, and this wait said that it need not be finished.
    case interrupted
    /// The task was cancelled.
    case cancelled
  }

  /// A descriptor and what it is waited for.
  package struct Interest: Sendable {
    let number: CInt
    let events: UInt32

    /// Waits until bytes, the end of the stream or an error can be read.
    package static func readable(_ descriptor: borrowing Descriptor) -> Interest {
      Interest(number: descriptor.number, events: UInt32(CLINUX_READABLE))
    }

    /// Waits for either.
    package static func readableOrWritable(_ descriptor: borrowing Descriptor) -> Interest {
      Interest(number: descriptor.number, events: UInt32(CLINUX_READABLE) | UInt32(CLINUX_WRITABLE))
    }

    /// Waits until bytes can be written or an error can be read.
    package static func writable(_ descriptor: borrowing Descriptor) -> Interest {
      Interest(number: descriptor.number, events: UInt32(CLINUX_WRITABLE))
    }
  }

  private struct Waiter {
    let continuation: CheckedContinuation<Wakeup, Never>
    let deadline: Instant?
    let interruptible: Bool
  }

  private struct State {
    var jobs = JobQueue()
    var waiters: [UInt64: Waiter] = [:]
    var lastToken = Token.firstWaiter
    /// Threads inside epoll_wait, which need the wake descriptor to learn of a job.
    var sleepingCount = 0
    /// Threads that are resuming a waiter and will look at the queue right after.
    var dispatchingCount = 0
    var isSweeping = false
    var isInterrupted = false
  }

  private enum Token {
    static let wake: UInt64 = 0
    static let sweep: UInt64 = 1
    static let firstWaiter: UInt64 = 2
  }

  /// How far a deadline may be overstepped. Deadlines are checked all at once at this pace, which costs less
  /// than keeping them in order: most waits end long before theirs.
  private static let sweepPeriodMilliseconds = 50
  /// How many jobs a thread runs before it looks at the descriptors, so that tasks that only yield to each
  /// other cannot starve those that wait.
  private static let jobsPerPollMax = 16
  private static let stackBytes = 512 * 1024

  private let state = Mutex(State())
  private let epoll: Descriptor
  private let wake: Descriptor
  private let sweep: Descriptor

  /// Starts the threads.
  package init(name: String, threadCount: Int) throws(SystemError) {
    epoll = Descriptor(owning: try systemCall("epoll_create1") { clinux_epoll_create() })
    wake = Descriptor(owning: try systemCall("eventfd") { clinux_event_descriptor() })
    sweep = Descriptor(owning: try systemCall("timerfd_create") { clinux_timer_descriptor() })
    try watch(wake.number, token: Token.wake, clinux_epoll_watch)
    try watch(sweep.number, token: Token.sweep, clinux_epoll_watch)
    for index in 0..<threadCount { try startThread(named: "\(name)-\(index)") }
  }

  /// The executor whose thread this is. Code that waits runs on such a thread, or it is our mistake.
  package static var current: IOExecutor {
    guard let executor = ThreadLocals.executor else { preconditionFailure("not on a thread of an IOExecutor") }
    return executor
  }

  /// Runs work on the executor's threads and holds this thread, which is none of them, until it is done.
  ///
  /// A synchronous main does so: the main thread of an asynchronous one ends in sigsuspend(2) with no signal
  /// blocked, and would be killed by what `Signals` is waiting for.
  package func runToEnd(_ work: @escaping @Sendable () async -> Void) {
    let done = Semaphore()
    Task(executorPreference: self) {
      await work()
      done.signal()
    }
    done.wait()
  }

  /// Suspends the task until one of the descriptors may be ready, the deadline has passed or the task is
  /// cancelled. At most one task waits for a descriptor on an executor at a time. Without a descriptor, it sleeps.
  package func wait(
    for first: Interest? = nil, or second: Interest? = nil, until deadline: Instant?, interruptible: Bool = false
  ) async -> Wakeup {
    let token = state.withLock { state in
      state.lastToken += 1
      return state.lastToken
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let waiter = Waiter(continuation: continuation, deadline: deadline, interruptible: interruptible)
        guard register(waiter, token: token) else { return continuation.resume(returning: .interrupted) }
        for interest in [first, second] {
          guard let interest else { continue }
          // Arming fails for want of memory or watches (ENOSPC, epoll_ctl(2)): the task then tries its call
          // again at once, which is slow and still right.
          do throws(SystemError) {
            try watch(interest.number, token: token) { clinux_epoll_arm($0, $1, interest.events, $2) }
          } catch {
            finish(token, .ready)
          }
        }
        if Task.isCancelled { finish(token, .cancelled) }
      }
    } onCancel: {
      finish(token, .cancelled)
    }
  }

  /// Ends the waits that said they need not be finished, and every later one of them.
  package func interruptWaits() {
    let waiters = state.withLock { state in
      state.isInterrupted = true
      let interruptible = state.waiters.filter { $0.value.interruptible }
      for token in interruptible.keys { state.waiters[token] = nil }
      return interruptible.values.map(\.continuation)
    }
    for waiter in waiters { waiter.resume(returning: .interrupted) }
  }

  /// Takes a job of a task that prefers this executor.
  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let needsThread = state.withLock { state in
      state.jobs.append(job)
      return state.sleepingCount > 0 && state.jobs.count > state.dispatchingCount
    }
    if needsThread { wakeThread() }
  }

  private func register(_ waiter: Waiter, token: UInt64) -> Bool {
    let startsSweep: Bool? = state.withLock { state in
      if waiter.interruptible && state.isInterrupted { return nil }
      state.waiters[token] = waiter
      guard waiter.deadline != nil, !state.isSweeping else { return false }
      state.isSweeping = true
      return true
    }
    guard let startsSweep else { return false }
    if startsSweep { setSweep(periodMilliseconds: Self.sweepPeriodMilliseconds) }
    return true
  }

  private func finish(_ token: UInt64, _ wakeup: Wakeup) {
    let waiter = state.withLock { $0.waiters.removeValue(forKey: token) }
    waiter?.continuation.resume(returning: wakeup)
  }

  private func watch(
    _ number: CInt, token: UInt64, _ control: (CInt, CInt, UInt64) -> CInt
  ) throws(SystemError) {
    _ = try systemCall("epoll_ctl") { control(epoll.number, number, token) }
  }

  private func wakeThread() {
    var one: UInt64 = 1
    // Nobody reads the counter: the descriptor is watched for edges, and 2^64 wakes are out of reach.
    _ = write(wake.number, &one, MemoryLayout<UInt64>.size)
  }

  private func setSweep(periodMilliseconds: Int) {
    // Fails only for a bad descriptor or period, and both are ours.
    let result = clinux_timer_set(sweep.number, periodMilliseconds)
    precondition(result == 0, "timerfd_settime failed")
  }

  private func startThread(named name: String) throws(SystemError) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, Self.stackBytes)
    pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        // The thread keeps the reference that startThread retained for it: executors are never freed.
        Unmanaged<IOExecutor>.fromOpaque(context).takeRetainedValue().runThread()
      }, Unmanaged.passRetained(self).toOpaque())
    guard code == 0 else { throw SystemError(call: "pthread_create", code: code) }
    clinux_name_thread(thread, name)
  }

  private func runThread() -> Never {
    ThreadLocals.executor = self
    var jobsSincePoll = 0
    while true {
      if jobsSincePoll < Self.jobsPerPollMax, let job = takeJob() {
        job.runSynchronously(on: asUnownedTaskExecutor())
        jobsSincePoll += 1
      } else {
        poll(blocking: jobsSincePoll < Self.jobsPerPollMax)
        jobsSincePoll = 0
      }
    }
  }

  /// The next job, or nil after counting this thread among the sleeping ones.
  private func takeJob() -> UnownedJob? {
    let (job, needsThread) = state.withLock { state in
      let job = state.jobs.popFirst()
      if job == nil { state.sleepingCount += 1 }
      return (job, job != nil && state.sleepingCount > 0 && state.jobs.count > state.dispatchingCount)
    }
    // Two wakes may have reached only one thread, so each thread that finds more than its own job passes it on.
    if needsThread { wakeThread() }
    return job
  }

  private func poll(blocking: Bool) {
    var token = Token.wake
    let count = clinux_epoll_wait(epoll.number, &token, blocking ? -1 : 0)
    let waiter = state.withLock { state -> Waiter? in
      if blocking { state.sleepingCount -= 1 }
      guard count > 0, let waiter = state.waiters.removeValue(forKey: token) else { return nil }
      state.dispatchingCount += 1
      return waiter
    }
    if let waiter {
      waiter.continuation.resume(returning: .ready)
      state.withLock { $0.dispatchingCount -= 1 }
    } else if count > 0 && token == Token.sweep {
      endOverdueWaits()
    }
  }

  private func endOverdueWaits() {
    // A periodic timer goes on only once its expirations have been read (timerfd_create(2)).
    var expirations: UInt64 = 0
    _ = read(sweep.number, &expirations, MemoryLayout<UInt64>.size)
    let now = Instant.now
    let overdue = state.withLock { state in
      let tokens = state.waiters.filter { ($0.value.deadline.map { $0 <= now }) ?? false }.keys
      let waiters = tokens.compactMap { state.waiters.removeValue(forKey: $0) }
      let isNeeded = state.waiters.values.contains { $0.deadline != nil }
      state.isSweeping = isNeeded
      // Under the lock, so that a wait that begins right now cannot have its timer stopped.
      if !isNeeded { setSweep(periodMilliseconds: 0) }
      return waiters
    }
    for waiter in overdue { waiter.continuation.resume(returning: .timedOut) }
  }
}
