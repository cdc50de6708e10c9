import ArgumentParser
import KVCore
import KVLinux

/// The options of commands that work on many values.
struct ManyOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("How many values to transfer or delete at once, 1 to 256.", valueName: "count"))
  var jobs = 8

  @OptionGroup var retryOptions: RetryOptions

  func validate() throws {
    guard (1...256).contains(jobs) else { throw ValidationError("--jobs must be from 1 to 256") }
  }

  /// For one value.
  var forOne: Retries { retryOptions.forOne }

  /// For each of many.
  var forMany: Retries { Retries(retriesMax: retryOptions.retries ?? Retries.manyDefault) }
}

/// How often what fails is tried again.
struct RetryOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "How often to retry when a node cannot serve now (default: \(Retries.manyDefault) for many values, 0 for one).",
      valueName: "count"))
  var retries: Int?

  func validate() throws {
    guard (0...Retries.limit).contains(retries ?? 0) else {
      throw ValidationError("--retries must be from 0 to \(Retries.limit)")
    }
  }

  /// For one value.
  var forOne: Retries { Retries(retriesMax: retries ?? 0, isTold: true) }
}

/// Tasks that do jobs side by side, each over connections of its own, while another finds out what there is to do.
struct Crew: Sendable {
  private static let progressPeriod = Duration.milliseconds(250)
  private static let queueCapacity = 128

  let nodes: Nodes
  let taskCount: Int
  let report: ManyReport
  let showsProgress: Bool

  /// Does all jobs that `plan` adds. What fails is told and counted, and the rest goes on.
  func run<Job: Sendable>(
    _ label: String, plan: @escaping @Sendable (JobQueue<Job>) async throws(CommandError) -> Void,
    work: @escaping @Sendable (Job, ConnectionCache) async throws(CommandError) -> Void
  ) async {
    let (queue, executor) = (JobQueue<Job>(capacity: Self.queueCapacity), IOExecutor.current)
    await withTaskGroup(of: Void.self) { watching in
      if showsProgress { watching.addTask(executorPreference: executor) { await watch(label) } }
      await withTaskGroup(of: Void.self) { group in
        group.addTask(executorPreference: executor) {
          do throws(CommandError) { try await plan(queue) } catch { report.fail(error) }
          queue.finish()
        }
        for _ in 0..<taskCount {
          group.addTask(executorPreference: executor) {
            let connections = ConnectionCache(nodes)
            while let job = await queue.take() {
              do throws(CommandError) { try await work(job, connections) } catch { report.fail(error) }
            }
          }
        }
      }
      watching.cancelAll()
    }
  }

  private func watch(_ label: String) async {
    let progress = ProgressBar(label, isWanted: true)
    defer { progress.end() }
    while await IOExecutor.current.wait(until: .after(Self.progressPeriod)) == .timedOut {
      let counts = report.counts
      let done = counts.total.map { "\(counts.done) of \(Quantity.values($0))" } ?? Quantity.values(counts.done)
      progress.label = "\(label) \(done)"
      progress.moved(counts.bytes - progress.doneBytes)
    }
  }
}
