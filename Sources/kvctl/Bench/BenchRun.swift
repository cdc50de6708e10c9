import ArgumentParser
import KVCore
import KVLinux

/// The phases of a bench: store something to fetch, measure, clean up; a signal goes straight to the last.
struct BenchRun: Sendable {
  /// What it came to.
  struct Result: Sendable {
    var tally = BenchTally()
    var duration = Duration.zero
    /// Keys that could not be deleted, and why.
    var leftKeys = 0
    var cleanUpError: CommandError?
    /// Why it ended before its time.
    var error: CommandError?
  }

  private enum Event: Sendable {
    case finished(Result)
    case signal(Signals.Signal?)
    case progressEnded
  }

  private static let progressPeriod = Duration.milliseconds(250)
  private static let noiseBytes = 256 * 1024

  let plan: BenchPlan
  private let workers: [BenchWorker]
  private let control: BenchControl

  init(_ plan: BenchPlan, _ nodes: Nodes) {
    self.plan = plan
    let control = BenchControl()
    var generator = SystemRandomNumberGenerator()
    let noise = (0..<Self.noiseBytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    workers = (0..<plan.concurrency).map { worker in
      BenchWorker(plan: plan, nodes: nodes, control: control, noise: noise, keys: plan.keys(ofWorker: worker))
    }
    self.control = control
  }

  /// Runs all phases. The first SIGINT or SIGTERM ends the measuring, the second everything: then it returns nil.
  func run(_ signals: Signals, showsProgress: Bool) async -> Result? {
    let executor = IOExecutor.current
    return await withTaskGroup(of: Event.self) { events in
      events.addTask(executorPreference: executor) { .finished(await phases()) }
      events.addTask(executorPreference: executor) { .signal(await signals.next()) }
      events.addTask(executorPreference: executor) {
        await watch(showsProgress: showsProgress)
        return .progressEnded
      }
      defer { events.cancelAll() }
      for await event in events {
        switch event {
        case .finished(let result): return result
        case .signal(.some):
          if control.isStopped { return nil }
          control.stop(CommandError(.interrupted, "BENCH: interrupted"))
          events.addTask(executorPreference: executor) { .signal(await signals.next()) }
        case .signal(nil), .progressEnded: break
        }
      }
      return nil
    }
  }

  private func phases() async -> Result {
    if plan.mix.gets > 0 { _ = await onAllWorkers { await $0.prepare() } }
    control.begin(plan)
    let start = Instant.now
    var result = Result()
    for tally in await onAllWorkers({ await $0.run() }) { result.tally.add(tally) }
    result.duration = Instant.now.since(start)
    for (failed, error) in await onAllWorkers({ await $0.cleanUp() }) {
      result.leftKeys += failed
      result.cleanUpError = result.cleanUpError ?? error
    }
    result.error = control.error
    return result
  }

  private func onAllWorkers<Output: Sendable>(
    _ work: @escaping @Sendable (BenchWorker) async -> Output
  ) async -> [Output] {
    let executor = IOExecutor.current
    return await withTaskGroup(of: Output.self) { group in
      for worker in workers { group.addTask(executorPreference: executor) { await work(worker) } }
      var outputs: [Output] = []
      for await output in group { outputs.append(output) }
      return outputs
    }
  }

  private func watch(showsProgress: Bool) async {
    let progress = ProgressBar("bench", isWanted: showsProgress)
    progress.begin("bench")
    defer { progress.end() }
    while await IOExecutor.current.wait(until: .after(Self.progressPeriod)) == .timedOut {
      progress.moved(control.movedBytes - progress.doneBytes)
    }
  }
}

/// What a bench does.
struct BenchPlan: Sendable {
  /// The size of each value.
  let valueBytes: Int
  /// How many operations run at once.
  let concurrency: Int
  /// How many keys there are; each worker has its own, so that no two write the same.
  let keyCount: Int
  let mix: BenchMix
  /// When it ends; nil for after `operationsMax` alone.
  let duration: Duration?
  /// How many operations there are at most.
  let operationsMax: Int?
  /// What its keys begin with: different from run to run, so that no bench meets another's keys.
  let prefix: String

  /// The keys of a worker.
  func keys(ofWorker worker: Int) -> [Key] {
    stride(from: worker, to: keyCount, by: concurrency).compactMap { try? Key(Array("\(prefix)\($0)".utf8)) }
  }
}

/// How many PUTs come to how many GETs: `--mix 1/3`.
struct BenchMix: ExpressibleByArgument, Equatable, Sendable, CustomStringConvertible {
  let puts: Int
  let gets: Int

  init(puts: Int, gets: Int) {
    precondition(puts + gets > 0, "a mix of nothing")
    self.puts = puts
    self.gets = gets
  }

  init?(argument: String) {
    let parts = argument.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) ?? -1 }
    guard parts.count == 2, parts.allSatisfy((0...1000).contains), parts != [0, 0] else { return nil }
    (puts, gets) = (parts[0], parts[1])
  }

  /// Whether the operation of that number, counted from 0, is a PUT. They are spread evenly.
  func isPut(_ number: Int) -> Bool {
    let inCycle = number % (puts + gets)
    return (inCycle + 1) * puts / (puts + gets) > inCycle * puts / (puts + gets)
  }

  var description: String { "\(puts)/\(gets)" }
}
