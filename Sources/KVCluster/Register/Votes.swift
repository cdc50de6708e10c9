import KVCore

/// What members have said, each once and in their order: a few, so that looking through all is faster than hashing.
struct Votes<Vote: Hashable & Sendable>: Hashable, Sendable {
  private(set) var members: [Member] = []
  private(set) var votes: [Vote] = []

  var count: Int { members.count }

  subscript(member: Member) -> Vote? {
    get { members.firstIndex(of: member).map { votes[$0] } }
    set {
      let place = members.firstIndex(of: member)
      switch (place, newValue) {
      case (let place?, let vote?): votes[place] = vote
      case (nil, let vote?):
        let place = members.firstIndex { $0 > member } ?? members.endIndex
        members.insert(member, at: place)
        votes.insert(vote, at: place)
      case (let place?, nil):
        members.remove(at: place)
        votes.remove(at: place)
      case (nil, nil): break
      }
    }
  }

  /// Those who said something of the kind.
  func members(where isMeant: (Vote) -> Bool) -> [Member] {
    members.indices.filter { isMeant(votes[$0]) }.map { members[$0] }
  }
}
