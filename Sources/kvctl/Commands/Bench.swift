import ArgumentParser
import KVCore
import KVLinux
import Synchronization

/// `kvctl bench`.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure throughput and latency with test values, which are deleted at the end.",
    discussion: """
      Every value is compared with its checksum. The first error or Ctrl-C ends the bench; both clean up. \
      The keys begin with kvctl-bench-.
      """)

  @Option(
    help: ArgumentHelp("The size of the values, such as 64K or 128M (default: 4M).", valueName: "size"),
    transform: { try ByteSize(parsing: $0) })
  var size: ByteSize?

  @Option(help: ArgumentHelp("How many operations to run at once, 1 to 1024.", valueName: "count"))
  var concurrency = 16

  @Option(
    help: ArgumentHelp(
      "How long to measure, such as 30s or 5min (default: 10s, unless --count is given).", valueName: "span"),
    transform: { try TimeSpan(parsing: $0) })
  var duration: TimeSpan?

  @Option(help: ArgumentHelp("How many operations to do at most.", valueName: "count"))
  var count: Int?

  @Option(help: ArgumentHelp("The ratio of PUTs to GETs.", valueName: "put/get"))
  var mix = BenchMix(puts: 1, gets: 1)

  @Option(help: ArgumentHelp("How many keys to use (default: as --concurrency).", valueName: "count"))
  var keys: Int?

  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var progress: ProgressOption
  @OptionGroup var json: JSONOption

  func validate() throws {
    guard (1...1024).contains(concurrency) else { throw ValidationError("--concurrency must be from 1 to 1024") }
    guard (count ?? 1) > 0 else { throw ValidationError("--count must be more than 0") }
    guard (keys ?? concurrency) >= concurrency, (keys ?? 1) <= 1_000_000 else {
      throw ValidationError("--keys must be at least --concurrency and at most 1000000")
    }
  }

  func run() throws {
    try ending { () throws(CommandError) in
      let nodes = try nodeOptions.load()
      let (plan, showsProgress, isJSON) = (plan, !progress.isOff, json.isOn)
      // Signals are blocked before the first thread starts, so that all threads inherit it.
      let signals = try CommandError.naming("BENCH") { () throws(SystemError) in try Signals() }
      try Runtime.run(threadCount: Process.processorCount) { () async throws(CommandError) in
        guard let result = await BenchRun(plan, nodes).run(signals, showsProgress: showsProgress) else {
          throw CommandError(.interrupted, "BENCH: interrupted twice; keys that begin with \(plan.prefix) are left")
        }
        try StandardOutput().write(isJSON ? BenchText.json(plan, result) : BenchText.table(plan, result))
        try Bench.check(result, plan)
      }
    }
  }

  private var plan: BenchPlan {
    BenchPlan(
      valueBytes: size?.bytes ?? 4 << 20, concurrency: concurrency, keyCount: keys ?? concurrency, mix: mix,
      duration: duration?.duration ?? (count == nil ? .seconds(10) : nil), operationsMax: count,
      prefix: "kvctl-bench-\(String(UInt64.random(in: .min ... .max), radix: 16))/")
  }

  private static func check(_ result: BenchRun.Result, _ plan: BenchPlan) throws(CommandError) {
    if result.leftKeys > 0 {
      let reason = result.cleanUpError.map { ": \($0.message)" } ?? ""
      let keys = result.leftKeys == 1 ? "1 key that begins" : "\(result.leftKeys) keys that begin"
      Process.writeError(
        "kvctl: BENCH: \(keys) with \(plan.prefix) could not be deleted\(reason)\n")
    }
    if let error = result.error { throw error }
    if let error = result.cleanUpError { throw error }
  }
}

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
