import CLinux
import DequeModule
import Glibc
import KVCore
import Synchronization

/// Threads that run Swift tasks and wait for descriptors: a `TaskExecutor` whose threads share one epoll(7).
///
/// A task on such an executor does its system calls itself and, where one would block, awaits `wait`; the
/// thread then runs another task. So a slow client costs descriptors and never a thread, a call that blocks
/// on a disk holds up one thread and no other task, and the thread that the kernel wakes for a descriptor is
/// the one that goes on with its task.
///
/// Tasks that were woken for something prompt, such as a request's head, go ahead of those in bulk: transfers, and
/// whoever pauses because its turn is over. So a small request waits for the turns that run, not for those that queue.
///
/// Executors live as long as the process.
package final class IOExecutor: TaskExecutor {
  /// Why a wait ended.
  package enum Wakeup: Sendable, Equatable {
    /// A descriptor may be ready; the system call will tell.
    case ready
    /// The deadline passed first.
    case timedOut
    /// The process is stopping, and this wait said that it need not be finished; or its interrupter was asked to end it.
    case interrupted
    /// The task was cancelled.
    case cancelled
    /// The descriptor cannot be waited for: the kernel has no memory or no watches left (epoll_ctl(2)).
    case failed(SystemError)
  }

  /// Whether a task that has been woken goes ahead of others.
  package enum Urgency: Sendable {
    /// What it does next is little, and somebody waits for it.
    case prompt
    /// It moves much, and may take its turn.
    case bulk
  }

  /// A descriptor and what it is waited for.
  package struct Interest: Sendable {
    let number: CInt
    let events: UInt32

    /// Waits until bytes, the end of the stream or an error can be read.
    package static func readable(_ descriptor: borrowing FileDescriptor) -> Interest {
      Interest(number: descriptor.number, events: UInt32(CLINUX_READABLE))
    }

    /// Waits for either.
    package static func readableOrWritable(_ descriptor: borrowing FileDescriptor) -> Interest {
      Interest(number: descriptor.number, events: UInt32(CLINUX_READABLE) | UInt32(CLINUX_WRITABLE))
    }

    /// Waits until bytes can be written or an error can be read.
    package static func writable(_ descriptor: borrowing FileDescriptor) -> Interest {
      Interest(number: descriptor.number, events: UInt32(CLINUX_WRITABLE))
    }
  }

  private struct Waiter {
    let continuation: CheckedContinuation<Wakeup, Never>
    let urgency: Urgency
    let isInterruptible: Bool
  }

  private struct State {
    /// Jobs to be run at once, in order of arrival.
    var jobs = Deque<UnownedJob>()
    /// Tasks in bulk that could go on.
    var bulk = Deque<CheckedContinuation<Wakeup, Never>>()
    var waiters: [UInt64: Waiter] = [:]
    var deadlines = Deadlines()
    /// When the timer goes off, or nil where it does not.
    var timerSetFor: Instant?
    /// Threads inside epoll_wait, which need the wake descriptor to learn of a job.
    var sleepingCount = 0
    /// Whether a sleeping thread has been sent for and nobody has come yet. Whoever comes sends for the next one.
    var isWakeUnderway = false
    var isInterrupted = false

    /// Whether to send for a sleeping thread now; the caller must then do so.
    mutating func sendsForThread() -> Bool {
      guard sleepingCount > 0, !isWakeUnderway, !(jobs.isEmpty && bulk.isEmpty) else { return false }
      isWakeUnderway = true
      return true
    }
  }

  /// What a thread does next.
  private enum Step {
    case run(UnownedJob)
    case resume(CheckedContinuation<Wakeup, Never>)
    /// Looks at the descriptors and goes on.
    case look
    /// Has nothing else to do; nor have some others.
    case sleep(isAmongOthers: Bool)
  }

  private enum Token {
    static let wake: UInt64 = 0
    static let timer: UInt64 = 1
    static let firstWaiter: UInt64 = 2
  }

  /// Deadlines are met up to so much late, many with one timer.
  private static let timerGrainNanoseconds: Int64 = 10_000_000
  /// How many jobs a thread runs before it looks at the descriptors.
  private static let jobsPerLookMax = 16
  /// How many jobs may go ahead of a task in bulk, one after the other.
  private static let jobsPerBulkMax = 64
  /// How long a task runs on before others of its threads must have had a turn.
  private static let turnMax = Duration.microseconds(500)

  private let state = Mutex(State())
  private let lastToken = Atomic<UInt64>(Token.firstWaiter)
  private let epoll: FileDescriptor
  private let wake: FileDescriptor
  private let timer: FileDescriptor

  /// Starts the threads.
  package init(name: String, threadCount: Int) throws(SystemError) {
    epoll = FileDescriptor(owning: try systemCall("epoll_create1") { clinux_epoll_create() })
    wake = FileDescriptor(owning: try systemCall("eventfd") { clinux_event_descriptor() })
    timer = FileDescriptor(owning: try systemCall("timerfd_create") { clinux_timer_descriptor() })
    try watch(wake.number, token: Token.wake, clinux_epoll_watch)
    try watch(timer.number, token: Token.timer, clinux_epoll_watch)
    for index in 0..<threadCount {
      try Thread.start(named: "\(name)-\(index)") { [self] in runThread() }
    }
  }

  /// The executor whose thread this is. Code that waits runs on such a thread, or it is our mistake.
  package static var current: IOExecutor {
    guard let context = ThreadLocals.context else { preconditionFailure("not on a thread of an IOExecutor") }
    return context.executor
  }

  /// Whether the task has run for so long that it should `pause`.
  package static var turnIsOver: Bool {
    guard let context = ThreadLocals.context else { return false }
    return Instant.now.since(context.turnBegan) >= turnMax
  }

  /// Lets the other tasks of these threads go first: those that are woken, and those in bulk that have waited longer.
  package static func pause() async {
    let executor = current
    _ = await withCheckedContinuation { executor.queue(inBulk: $0) }
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
    for first: Interest? = nil, or second: Interest? = nil, until deadline: Instant?, urgency: Urgency = .prompt,
    interruptible: Bool = false, by interrupter: Interrupter? = nil
  ) async -> Wakeup {
    let token = lastToken.add(1, ordering: .relaxed).newValue
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let waiter = Waiter(continuation: continuation, urgency: urgency, isInterruptible: interruptible)
        guard register(waiter, token: token, until: deadline) else {
          return continuation.resume(returning: .interrupted)
        }
        for interest in [first, second] {
          guard let interest else { continue }
          do throws(SystemError) {
            try watch(interest.number, token: token) { clinux_epoll_arm($0, $1, interest.events, $2) }
          } catch {
            finish(token, .failed(error))
          }
        }
        if let interrupter, !interrupter.attach(self, token: token) { finish(token, .interrupted) }
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
      let interruptible = state.waiters.filter { $0.value.isInterruptible }
      for token in interruptible.keys { state.waiters[token] = nil }
      return interruptible.values.map(\.continuation)
    }
    for waiter in waiters { waiter.resume(returning: .interrupted) }
  }

  /// Takes a job of a task that prefers this executor.
  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if let context = ThreadLocals.context, context.isDispatching, context.executor === self {
      context.dispatched.append(job)
      return
    }
    let needsThread = state.withLock { state in
      state.jobs.append(job)
      return state.sendsForThread()
    }
    if needsThread { wakeThread() }
  }

  /// Ends a wait, unless it has ended.
  func finish(_ token: UInt64, _ wakeup: Wakeup) {
    let waiter = state.withLock { $0.waiters.removeValue(forKey: token) }
    waiter?.continuation.resume(returning: wakeup)
  }

  /// This thread goes on with it, unless it is one of several: then a sleeping one may as well.
  private func queue(inBulk continuation: CheckedContinuation<Wakeup, Never>) {
    let needsThread = state.withLock { state in
      state.bulk.append(continuation)
      return state.bulk.count > 1 && state.sendsForThread()
    }
    if needsThread { wakeThread() }
  }

  private func register(_ waiter: Waiter, token: UInt64, until deadline: Instant?) -> Bool {
    state.withLock { state in
      if waiter.isInterruptible && state.isInterrupted { return false }
      state.waiters[token] = waiter
      guard let deadline else { return true }
      state.deadlines.insert(deadline, token: token)
      state.deadlines.compact(liveCount: state.waiters.count) { state.waiters[$0] != nil }
      if state.timerSetFor.map({ deadline < $0 }) ?? true { setTimer(for: deadline, &state) }
      return true
    }
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

  /// Under the lock, so that no later setting can come before an earlier one.
  private func setTimer(for deadline: Instant, _ state: inout State) {
    let grain = Self.timerGrainNanoseconds
    let late = Instant(nanoseconds: (deadline.nanoseconds / grain + 1) * grain)
    state.timerSetFor = late
    // Fails only for a bad descriptor or time, and both are ours.
    let result = clinux_timer_set(timer.number, late.nanoseconds)
    precondition(result == 0, "timerfd_settime failed")
  }

  private func runThread() {
    let context = ThreadContext(self)
    ThreadLocals.context = context
    var jobsSinceLook = 0
    var jobsSinceBulk = 0
    while true {
      switch nextStep(jobsSinceLook: jobsSinceLook, isBulkDue: jobsSinceBulk >= Self.jobsPerBulkMax) {
      case .run(let job):
        run(job, context)
        jobsSinceLook += 1
        jobsSinceBulk += 1
      case .resume(let continuation):
        dispatch([continuation], context)
        jobsSinceLook += 1
        jobsSinceBulk = 0
      case .look:
        jobsSinceLook = look(eventsMax: CLINUX_TOKENS_MAX, isSleep: false, context)
        jobsSinceBulk += jobsSinceLook
      case .sleep(let isAmongOthers):
        // Each event is for one of the sleepers, while there are several; the last of them takes what there is.
        jobsSinceLook = look(eventsMax: isAmongOthers ? 1 : CLINUX_TOKENS_MAX, isSleep: true, context)
        jobsSinceBulk += jobsSinceLook
      }
    }
  }

  /// Chooses the next step; counts this thread among the sleeping ones where that is it.
  private func nextStep(jobsSinceLook: Int, isBulkDue: Bool) -> Step {
    let (step, needsThread) = state.withLock { state -> (Step, Bool) in
      let step = Self.choose(&state, jobsSinceLook: jobsSinceLook, isBulkDue: isBulkDue)
      return (step, state.sendsForThread())
    }
    // A thread that has come sends for the next one while there is more than it can take.
    if needsThread { wakeThread() }
    return step
  }

  private static func choose(_ state: inout State, jobsSinceLook: Int, isBulkDue: Bool) -> Step {
    if isBulkDue, let continuation = state.bulk.popFirst() { return .resume(continuation) }
    if jobsSinceLook < jobsPerLookMax, let job = state.jobs.popFirst() { return .run(job) }
    // Whoever has been woken meanwhile goes ahead of tasks in bulk: a thread that the kernel would wake for it may have to
    // wait for a processor.
    if jobsSinceLook > 0 && !(state.jobs.isEmpty && state.bulk.isEmpty) { return .look }
    if let continuation = state.bulk.popFirst() { return .resume(continuation) }
    state.sleepingCount += 1
    return .sleep(isAmongOthers: state.sleepingCount > 1)
  }

  private func run(_ job: UnownedJob, _ context: ThreadContext) {
    context.turnBegan = .now
    job.runSynchronously(on: asUnownedTaskExecutor())
  }

  /// Resumes tasks whose descriptors are ready and goes on with the first of them on this very thread.
  private func dispatch(_ continuations: [CheckedContinuation<Wakeup, Never>], _ context: ThreadContext) {
    context.isDispatching = true
    for continuation in continuations { continuation.resume(returning: .ready) }
    context.isDispatching = false
    guard let first = context.dispatched.first else { return }
    // What else there is must not wait until this one comes to a wait: it may block on a disk.
    let needsThread = state.withLock { state in
      state.jobs.append(contentsOf: context.dispatched.dropFirst())
      return state.sendsForThread()
    }
    context.dispatched.removeAll(keepingCapacity: true)
    if needsThread { wakeThread() }
    run(first, context)
  }

  /// Takes events from the kernel, queues the tasks that they are for and runs the first of the prompt ones: returns how
  /// many it has run.
  private func look(eventsMax: Int, isSleep: Bool, _ context: ThreadContext) -> Int {
    var tokens = CLinuxTokens()
    let count = clinux_epoll_wait(epoll.number, &tokens, CInt(eventsMax), isSleep ? -1 : 0)
    var prompt: [CheckedContinuation<Wakeup, Never>] = []
    var isTimerDue = false
    state.withLock { state in
      if isSleep { state.sleepingCount -= 1 }
      for index in 0..<max(Int(count), 0) {
        let token = withUnsafeBytes(of: &tokens) { $0.load(fromByteOffset: 8 * index, as: UInt64.self) }
        if token == Token.timer { isTimerDue = true }
        if token == Token.wake { state.isWakeUnderway = false }
        guard let waiter = state.waiters.removeValue(forKey: token) else { continue }
        if waiter.urgency == .bulk {
          state.bulk.append(waiter.continuation)
        } else {
          prompt.append(waiter.continuation)
        }
      }
    }
    if isTimerDue { endOverdueWaits() }
    if prompt.isEmpty { return 0 }
    dispatch(prompt, context)
    return 1
  }

  private func endOverdueWaits() {
    let now = Instant.now
    let overdue = state.withLock { state in
      var overdue: [CheckedContinuation<Wakeup, Never>] = []
      while let token = state.deadlines.popOverdue(at: now, isLive: { state.waiters[$0] != nil }) {
        if let waiter = state.waiters.removeValue(forKey: token) { overdue.append(waiter.continuation) }
      }
      state.timerSetFor = nil
      if let next = state.deadlines.earliest(isLive: { state.waiters[$0] != nil }) { setTimer(for: next, &state) }
      return overdue
    }
    for continuation in overdue { continuation.resume(returning: .timedOut) }
  }
}
