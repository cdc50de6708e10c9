import KVCore

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
