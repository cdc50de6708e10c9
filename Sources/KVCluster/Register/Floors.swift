import KVCore

/// What a disk may have forgotten of its groups with files that it has removed. It is kept in memory: after a restart all
/// that an earlier process may have used or learned counts as forgotten.
package struct Floors: Sendable {
  private let start: Ballot
  private var floors: [UInt8: Ballot] = [:]

  /// The floors from a disk's start on; `horizon` is what it has written.
  package init(horizon: UInt64, rules: Rules = .all) {
    start = rules.contains(.floorsAtHorizon) ? .last(of: horizon) : .none
  }

  /// The highest ballot that may have been forgotten of a group.
  package func floor(of group: UInt8) -> Ballot { floors[group] ?? start }

  /// A file of the group is to be removed; `highest` is the highest counter that was used or learned so far.
  package mutating func forget(group: UInt8, upTo highest: UInt64) {
    floors[group] = max(floor(of: group), .last(of: highest))
  }
}
