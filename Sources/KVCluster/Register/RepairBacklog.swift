import KVCore

/// The keys of which it is known that an owner may hold less than the others, or that all of them hold a deletion: when
/// each is to be looked at. It has room for some; the rest is found when what the owners have is compared.
package struct RepairBacklog: Sendable {
  /// What came of looking at a key.
  package enum Outcome: Equatable, Sendable {
    /// Its owners hold the same, or those who do not see to it themselves.
    case done
    /// Nothing can be done before then.
    case notBefore(Instant)
    /// These gave no answer.
    case waiting(for: [Member])
    /// It did not work; why.
    case failed(String)
  }

  package enum Kind: Hashable, Sendable {
    /// An owner may hold less than the others.
    case behind
    /// It was deleted, which is to be forgotten.
    case deleted
  }

  struct Entry: Equatable {
    var kind: Kind
    let since: Instant
    var due: Instant
    var failures = 0
    /// Whoever had no word for it when it was looked at last.
    var waitingFor: Set<Member> = []
    var isTold = false
    var isInHand = false
    /// Whether it was noted again while it was in hand.
    var isRenewed = false
  }

  /// How many keys there is room for.
  package static let countMax = 10_000
  /// How long after a failure a key is looked at again: twice as long each time, up to the longest.
  package static let firstPause = Duration.seconds(1)
  package static let longestPause = Duration.seconds(600)

  private let countMax: Int
  private(set) var entries: [Key: Entry] = [:]
  /// Whether there was no room for some.
  package private(set) var isIncomplete = false

  package init(countMax: Int = Self.countMax) { self.countMax = countMax }

  /// How many keys have an owner that may hold less than the others.
  package var behindCount: Int { entries.values.count { $0.kind == .behind } }

  /// Since when the first of them has been known.
  package var behindSince: Instant? { entries.values.lazy.filter { $0.kind == .behind }.map(\.since).min() }

  /// Takes note of a key. One that is known already, and did not come of itself to be waited for, keeps its place.
  package mutating func note(_ key: Key, _ kind: Kind, at now: Instant, due: Instant, waitingFor: Set<Member> = []) {
    if let entry = entries[key] {
      if kind == .behind, entry.kind == .deleted { entries[key]?.kind = .behind }
      entries[key]?.isRenewed = entry.isInHand
      if entry.failures == 0 { entries[key]?.due = kind == .behind ? min(entry.due, due) : entry.due }
      return
    }
    // What was deleted leaves room for what is missing.
    guard entries.count < (kind == .behind ? countMax : countMax / 2) else {
      isIncomplete = isIncomplete || kind == .behind
      return
    }
    entries[key] = Entry(kind: kind, since: now, due: due, waitingFor: waitingFor)
  }

  /// One of the keys that are to be looked at now. Those that wait for somebody who is silent stay for later.
  package mutating func take(at now: Instant, silent: Set<Member>) -> Key? {
    for (key, entry) in entries where entry.due <= now && !entry.isInHand {
      guard entry.waitingFor.isDisjoint(with: silent) else {
        postpone(key, entry, at: now)
        continue
      }
      entries[key]?.isInHand = true
      return key
    }
    return nil
  }

  /// These answer again: nothing waits for them any longer.
  package mutating func answerAgain(_ members: Set<Member>, at now: Instant) {
    for (key, entry) in entries where !entry.waitingFor.isDisjoint(with: members) {
      entries[key]?.due = now
      entries[key]?.failures = 0
      entries[key]?.waitingFor.subtract(members)
    }
  }

  /// A key that was taken has been looked at. Why it failed, where it has for the second time and that was not told.
  package mutating func finish(_ key: Key, _ outcome: Outcome, at now: Instant) -> String? {
    guard var entry = entries[key] else { return nil }
    let isRenewed = entry.isRenewed
    (entry.isInHand, entry.isRenewed) = (false, false)
    switch outcome {
    case .done where isRenewed:
      entry.due = now
      entries[key] = entry
      return nil
    case .done:
      entries[key] = nil
      return nil
    case .notBefore(let due):
      entry.due = due
      entry.kind = .deleted
      entries[key] = entry
      return nil
    case .waiting(let members):
      entry.waitingFor = Set(members)
      postpone(key, entry, at: now)
      return nil
    case .failed(let reason):
      entry.waitingFor = []
      let isNews = entry.failures > 0 && !entry.isTold
      if isNews { entry.isTold = true }
      postpone(key, entry, at: now)
      return isNews ? reason : nil
    }
  }

  /// What the owners have was compared, and what differs was mended: nothing else is known to be amiss.
  package mutating func compared() { isIncomplete = false }

  private mutating func postpone(_ key: Key, _ entry: Entry, at now: Instant) {
    var entry = entry
    entry.due = now.advanced(by: Self.pause(afterFailures: entry.failures))
    entry.failures += 1
    entries[key] = entry
  }

  /// How long after so many failures in a row, and one more, a key is looked at again.
  static func pause(afterFailures count: Int) -> Duration {
    min(firstPause * (1 << min(count, 20)), longestPause)
  }
}
