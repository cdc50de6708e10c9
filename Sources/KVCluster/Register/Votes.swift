import KVCore

/// What members have said, each once and in their order: a few, so that looking through all is faster than hashing.
struct Votes<Vote: Hashable & Sendable>: Hashable, Sendable {
  struct Entry: Hashable, Sendable {
    let member: Member
    var vote: Vote
  }

  /// As many as there mostly are.
  private static var usualCount: Int { 4 }

  private(set) var entries: [Entry] = []

  var count: Int { entries.count }

  subscript(member: Member) -> Vote? {
    for entry in entries where entry.member == member { return entry.vote }
    return nil
  }

  /// Takes note of what a member says, in place of what it said before.
  mutating func set(_ member: Member, _ vote: Vote) {
    if entries.isEmpty { entries.reserveCapacity(Self.usualCount) }
    let place = entries.firstIndex { $0.member >= member } ?? entries.endIndex
    if place < entries.endIndex, entries[place].member == member {
      entries[place].vote = vote
    } else {
      entries.insert(Entry(member: member, vote: vote), at: place)
    }
  }

  /// Whether those who said something of the kind are enough to decide.
  func isQuorum(of view: View, where isMeant: (Vote) -> Bool = { _ in true }) -> Bool {
    view.isQuorum { member in self[member].map(isMeant) ?? false }
  }

  /// How many said something of the kind.
  func count(where isMeant: (Vote) -> Bool) -> Int { entries.count { isMeant($0.vote) } }

  /// Those who said something of the kind.
  func members(where isMeant: (Vote) -> Bool) -> [Member] {
    entries.compactMap { isMeant($0.vote) ? $0.member : nil }
  }
}

extension Votes<Testimony> {
  /// What is held at the highest ballot.
  var highest: Testimony? { entries.max { $0.vote.ballot < $1.vote.ballot }?.vote }
}
