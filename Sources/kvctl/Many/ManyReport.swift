import KVCore
import KVLinux
import Synchronization

/// What an operation on many values has come to so far. All its tasks tell it.
final class ManyReport: Sendable {
  /// What became of a value.
  enum Outcome: String, CaseIterable, Sendable {
    case stored, fetched, deleted, removed, unchanged, absent
  }

  struct Counts: Equatable, Sendable {
    var outcomes: [Outcome: Int] = [:]
    var leftOut = 0
    var failed = 0
    /// Bytes of values that have moved.
    var bytes = 0
    /// How many values there are to be seen to, once that is known.
    var total: Int?
    var statuses: Set<ExitStatus> = []

    var done: Int { outcomes.values.reduce(failed, +) }
  }

  private let state = Mutex(Counts())
  private let isDryRun: Bool

  init(isDryRun: Bool = false) { self.isDryRun = isDryRun }

  var counts: Counts { state.withLock { $0 } }

  func add(_ outcome: Outcome) { state.withLock { $0.outcomes[outcome, default: 0] += 1 } }

  func moved(_ byteCount: Int) { state.withLock { $0.bytes += byteCount } }

  func isPlanned(_ total: Int) { state.withLock { $0.total = total } }

  /// Something is left out, which is no failure.
  func leaveOut(_ what: String, _ reason: String) {
    state.withLock { $0.leftOut += 1 }
    tell("\(what): \(reason), left out")
  }

  func fail(_ error: CommandError) {
    state.withLock { state in
      state.failed += 1
      state.statuses.insert(error.status)
    }
    tell(error.message)
  }

  /// Something that is worth knowing and no failure.
  func warn(_ what: String) { tell("warning: \(what)") }

  private func tell(_ line: String) {
    Process.writeError("\(Terminal.isStandardError ? "\r\u{1B}[K" : "")kvctl: \(line)\n")
  }

  /// The one number for all failures, if there are any.
  static func status(_ counts: Counts) -> ExitStatus? {
    guard let first = counts.statuses.first else { return nil }
    return counts.statuses.count == 1 ? first : .failure
  }

  /// `3 values stored (1.2 MiB), 1 value unchanged, 1 failed`.
  static func summary(_ counts: Counts, isDryRun: Bool = false) -> String {
    var parts: [String] = []
    for outcome in Outcome.allCases {
      guard let count = counts.outcomes[outcome], count > 0 else { continue }
      let what = outcome == .removed ? "\(Counted(count, "file"))" : Quantity.values(count)
      let size = outcome == .stored || outcome == .fetched ? " (\(Quantity.bytes(counts.bytes)))" : ""
      parts.append("\(what) \(outcome.rawValue)\(isDryRun ? "" : size)")
    }
    if counts.leftOut > 0 { parts.append("\(counts.leftOut) left out") }
    if counts.failed > 0 { parts.append("\(counts.failed) failed") }
    if parts.isEmpty { parts = ["nothing to do"] }
    return (isDryRun ? "without --dry-run: " : "") + parts.joined(separator: ", ") + "\n"
  }

  static func json(_ counts: Counts) -> String {
    var object = JSONObject()
    for outcome in Outcome.allCases { object.add(outcome.rawValue, counts.outcomes[outcome] ?? 0) }
    object.add("left_out", counts.leftOut)
    object.add("failed", counts.failed)
    object.add("bytes", counts.bytes)
    return "\(object)\n"
  }

  /// Prints the summary, and ends with an error where something failed.
  func finish(isJSON: Bool) throws(CommandError) {
    let counts = counts
    try StandardOutput().write(isJSON ? Self.json(counts) : Self.summary(counts, isDryRun: isDryRun))
    guard let status = Self.status(counts) else { return }
    throw CommandError(status, "\(Counted(counts.failed, "failure"))")
  }
}
