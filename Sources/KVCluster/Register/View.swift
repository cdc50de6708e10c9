import KVCore

/// Who votes about the keys of a slot, as of one version of the layout.
package struct View: Hashable, Sendable {
  /// The version at which the slot's group last changed. Owners answer only those who go by the same.
  package let epoch: UInt64
  /// The owners in order.
  package let owners: [Member]
  /// Those to be, while the group moves: then a quorum is one of these and one of those.
  package let nextOwners: [Member]?

  package init(epoch: UInt64, owners: [Member], nextOwners: [Member]? = nil) {
    self.epoch = epoch
    self.owners = owners
    self.nextOwners = nextOwners
  }

  /// Everybody who is asked, each once.
  package var voters: [Member] {
    guard let nextOwners else { return owners }
    return owners + nextOwners.filter { !owners.contains($0) }
  }

  /// Whether the group is moving.
  package var isMoving: Bool { nextOwners != nil }

  /// Whether the member votes.
  package func hasVoter(_ member: Member) -> Bool {
    owners.contains(member) || nextOwners?.contains(member) == true
  }

  /// Whether these are enough to decide.
  package func isQuorum(_ members: some Collection<Member>) -> Bool { isQuorum { members.contains($0) } }

  /// Whether those voters of whom it holds are enough to decide.
  func isQuorum(where hasVoted: (Member) -> Bool) -> Bool {
    if let nextOwners, 2 * nextOwners.count(where: hasVoted) <= nextOwners.count { return false }
    return 2 * owners.count(where: hasVoted) > owners.count
  }

  /// Whether more than half of all are among these.
  package static func isMajority<Voter: Equatable>(
    _ voters: some Collection<Voter>, of all: some Collection<Voter>
  ) -> Bool {
    2 * all.count { voters.contains($0) } > all.count
  }
}
