import KVCluster
import KVCore
import KVLinux
import Synchronization

/// What there is to tell of repair, and the keys that it still has to look at.
final class RepairRecord: Sendable {
  private struct State {
    var backlog = RepairBacklog()
    var counts = Counts()
    var progress: String?
  }

  /// What was done since the start.
  struct Counts: Equatable, Sendable {
    /// Values and deletions that were missed here, or whose bytes were damaged.
    var mended = 0
    var fetchedBytes = 0
    var forgotten = 0
    var passes = 0
  }

  private let state = Mutex(State())

  func countMended() { state.withLock { $0.counts.mended += 1 } }
  func countFetched(byteCount: Int) { state.withLock { $0.counts.fetchedBytes += byteCount } }
  func countForgotten() { state.withLock { $0.counts.forgotten += 1 } }
  func countPass() { state.withLock { $0.counts.passes += 1 } }

  var counts: Counts { state.withLock { $0.counts } }

  /// How comparing what this node has with what others have gets on, while it does.
  var progress: String? {
    get { state.withLock { $0.progress } }
    set { state.withLock { $0.progress = newValue } }
  }

  func withBacklog<Result: Sendable>(_ body: (inout RepairBacklog) -> Result) -> Result {
    state.withLock { body(&$0.backlog) }
  }

  /// How many keys have an owner that may hold less than the others.
  var behindCount: Int { state.withLock { $0.backlog.behindCount } }

  /// The same in a sentence, and since when; nil where there is none.
  var text: String? {
    let (count, since, isIncomplete, progress) = state.withLock { state in
      (state.backlog.behindCount, state.backlog.behindSince, state.backlog.isIncomplete, state.progress)
    }
    guard count > 0, let since else { return progress }
    let seconds = Instant.now.since(since).components.seconds
    let keys = Counted(count, "key")
    let text = "\(isIncomplete ? "more than " : "")\(keys) may have fewer copies than they should, since \(seconds) s"
    return progress.map { "\(text); \($0)" } ?? text
  }

  func write(to text: inout PrometheusText) {
    let (counts, backlog) = state.withLock { ($0.counts, $0.backlog) }
    text.single(
      "kvnode_keys_behind", .gauge,
      "Keys of which an owner is known to hold less than the others, as far as there is room.",
      Double(backlog.behindCount))
    let age = backlog.behindSince.map { Instant.now.since($0).inSeconds } ?? 0
    text.single(
      "kvnode_keys_behind_seconds", .gauge, "How long ago the first of these keys was found to be so; 0 without any.",
      age)
    text.single(
      "kvnode_repaired_values_total", .counter,
      "Values and deletions that this node had missed, or whose bytes were damaged.",
      Double(counts.mended))
    text.single(
      "kvnode_repaired_bytes_total", .counter, "Bytes of values that were fetched to repair them.",
      Double(counts.fetchedBytes))
    text.single(
      "kvnode_forgotten_deletions_total", .counter, "Deletions that all owners held and this node had them forget.",
      Double(counts.forgotten))
    text.single(
      "kvnode_comparisons_total", .counter, "Times that what this node has was compared with what other owners have.",
      Double(counts.passes))
  }
}
