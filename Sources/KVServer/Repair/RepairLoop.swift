import KVCluster
import KVCore
import KVLinux
import Logging

/// Sees to it that all owners of the keys of this node hold the same: it looks at keys of which it is known that one may hold
/// less, and from time to time compares all that it has with what the others have.
struct RepairLoop: Sendable {
  private static let pace = Duration.milliseconds(250)
  /// How many keys are looked at at a time: one with many bytes does not hold up the others.
  private static let width = 4
  /// How long after a comparison the next one begins, and how long after one that was cut short.
  private static let comparisonPause = Duration.seconds(600)
  private static let retryPause = Duration.seconds(60)

  let layouts: Layouts
  let record: RepairRecord
  let logger: Logger
  private let runner: RoundRunner
  private let repair: KeyRepair
  private let comparison: GroupComparison
  private let network: IOExecutor

  init(_ runner: RoundRunner, _ current: CurrentCluster, _ metrics: Metrics, _ rooms: Rooms, _ logger: Logger) {
    let record = RepairRecord()
    let pace = MovePace(current, metrics) { record.countFetched(byteCount: $0) }
    let repair = KeyRepair(runner: runner, pace: pace, record: record, logger: logger)
    (self.layouts, self.record, self.logger, self.runner) = (runner.calls.layouts, record, logger, runner)
    (self.repair, self.network) = (repair, rooms.network)
    comparison = GroupComparison(
      layouts: layouts, repair: repair, record: record, metrics: metrics, disk: rooms.disk, network: rooms.network)
  }

  /// Goes on until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask(executorPreference: network) { await takeNotes() }
      for _ in 0..<Self.width { group.addTask(executorPreference: network) { await lookAtKeys() } }
      group.addTask(executorPreference: network) { await compare() }
    }
  }

  // MARK: Keys that are known

  private func takeNotes() async {
    var silentBefore: Set<Member> = []
    while await IOExecutor.current.wait(until: .after(Self.pace)) == .timedOut {
      guard let layout = layouts.known else { continue }
      let notes = runner.missed.takeAll()
      let (now, silent) = (Instant.now, silent(layout))
      let returned = silentBefore.subtracting(silent)
      silentBefore = silent
      record.withBacklog { backlog in
        // With one copy of each value there is nothing to repair it from.
        guard layout.hasCopies else { return backlog = RepairBacklog() }
        if !returned.isEmpty { backlog.answerAgain(returned, at: now) }
        for (key, note) in notes {
          let due = note.kind == .deleted ? now.advanced(by: KeyRepair.deletionAge) : now
          backlog.note(key, note.kind, at: now, due: due, waitingFor: note.members.intersection(silent))
        }
      }
    }
  }

  private func silent(_ layout: Layout) -> Set<Member> {
    Set(layout.members.map(\.member).filter { layouts.isSilent($0) })
  }

  private func lookAtKeys() async {
    while !Task.isCancelled {
      guard let layout = layouts.known, layout.hasCopies, layouts.mayVote,
        let key = record.withBacklog({ $0.take(at: .now, silent: silent(layout)) })
      else {
        guard await IOExecutor.current.wait(until: .after(Self.pace)) == .timedOut else { return }
        continue
      }
      let outcome = await repair.repair(key, layout)
      guard let news = record.withBacklog({ $0.finish(key, outcome.forBacklog, at: .now) }) else { continue }
      logger.warning(
        "a key's copies cannot be repaired, which is tried again at longer and longer intervals: \(news)",
        metadata: ["key": "\(key)"])
    }
  }

  // MARK: All keys

  private func compare() async {
    var due = Instant.now
    var version: UInt64?
    var silentBefore: Set<Member> = []
    while await IOExecutor.current.wait(until: .after(Self.pace)) == .timedOut {
      guard let layout = layouts.known, layout.hasCopies, layouts.mayVote,
        layouts.current.value.topology.ownMember != nil
      else { continue }
      let silent = silent(layout)
      let returned = silentBefore.subtracting(silent)
      silentBefore = silent
      let isNew = layout.version != version && layout.next == nil
      let isDue = isNew || Instant.now >= due
      guard isDue || !returned.isEmpty else { continue }
      if layout.next == nil { version = layout.version }
      let summary = await comparison.pass(with: isDue ? nil : returned)
      // Whoever was left out, even for a while, is compared with as soon as it answers.
      silentBefore.formUnion(summary.leftOut)
      if isDue { due = .after(Self.comparisonPause) }
      if summary.isCutShort { due = min(due, .after(Self.retryPause)) }
      if isDue, summary.leftOut.isEmpty, !summary.isCutShort { record.withBacklog { $0.compared() } }
      tell(summary)
    }
  }

  private func tell(_ summary: GroupComparison.Summary) {
    guard summary.repaired > 0 || summary.forgotten > 0 else { return }
    logger.notice(
      "copies were compared with other hosts' and repaired",
      metadata: [
        "repaired": "\(summary.repaired)", "forgotten": "\(summary.forgotten)", "left": "\(summary.left)",
      ])
  }
}

extension KeyRepair.Outcome {
  /// What the backlog is told.
  var forBacklog: RepairBacklog.Outcome {
    switch self {
    case .whole, .told, .forgotten: .done
    case .deleted(let age): .notBefore(.after(KeyRepair.deletionAge - age))
    case .waiting(let members): .waiting(for: members)
    case .stuck(let reason): .failed(reason)
    case .outdated: .waiting(for: [])
    }
  }
}

extension RepairRecord {
  /// Takes note of a key that is not done with; whether that is so.
  func leave(_ key: Key, _ outcome: KeyRepair.Outcome) -> Bool {
    let now = Instant.now
    let (kind, due): (RepairBacklog.Kind, Instant)
    var waitingFor: Set<Member> = []
    switch outcome.forBacklog {
    case .done: return false
    case .notBefore(let time): (kind, due) = (.deleted, time)
    case .waiting(let members):
      (kind, due) = (.behind, now.advanced(by: RepairBacklog.firstPause))
      waitingFor = Set(members)
    case .failed: (kind, due) = (.behind, now.advanced(by: RepairBacklog.firstPause))
    }
    withBacklog { $0.note(key, kind, at: now, due: due, waitingFor: waitingFor) }
    return true
  }
}
