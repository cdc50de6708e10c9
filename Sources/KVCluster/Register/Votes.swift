import KVCore

/// What members have said, each once: a few, so that looking through all is faster than hashing.
struct Votes<Vote: Sendable>: Sendable {
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
        members.append(member)
        votes.append(vote)
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
