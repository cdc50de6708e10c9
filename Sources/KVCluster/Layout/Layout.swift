import KVCore
import KVHTTP

/// Sixteen random bytes that a data directory is given when it is made: what tells one disk from another, whatever the
/// host is called.
package struct DiskID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// 32 hex digits, as in the file `id`.
  package var description: String { Hexadecimal.digits(high, low) }

  /// By their bytes.
  package static func < (left: DiskID, right: DiskID) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

/// What a cluster is called, for ever: 16 bytes, chosen with its first layout.
package struct ClusterID: Hashable, Sendable, CustomStringConvertible {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// 32 hex digits.
  package var description: String { Hexadecimal.digits(high, low) }
}

extension Hexadecimal {
  fileprivate static func digits(_ high: UInt64, _ low: UInt64) -> String {
    digits(BigEndian.bytes(Int64(bitPattern: high)) + BigEndian.bytes(Int64(bitPattern: low)))
  }
}

/// How far a group of slots has moved from one list to the next.
package struct GroupState: Hashable, Sendable {
  package enum Phase: Hashable, Sendable {
    /// The present list's owners alone have a say.
    case old
    /// The owners of both lists have.
    case moving
    /// The next list's owners alone have.
    case new
  }

  package var phase: Phase
  /// The version of the layout at which the say last changed.
  package var epoch: UInt64
  /// How often the group has gone from one list to another for good.
  package var switches: UInt32
  /// The epoch of the moving that ended so last.
  package var switchedFrom: UInt64
}

/// Who has a say about a group's keys, as seen by a node that has one.
package struct Say: Hashable, Sendable {
  /// The version of the layout at which the say last changed; 0 without a layout.
  package let epoch: UInt64
  /// Whether others have it too.
  package let isShared: Bool

  package init(epoch: UInt64, isShared: Bool) { (self.epoch, self.isShared) = (epoch, isShared) }

  /// Where there is no layout.
  package static let alone = Say(epoch: 0, isShared: false)
}

/// Who is in the cluster and where values are: one version of what the nodes decide among themselves.
package struct Layout: Hashable, Sendable {
  /// How many groups there are: slots that share their first byte, and a directory.
  package static let groupCount = 256

  package let cluster: ClusterID
  package private(set) var version: UInt64
  package private(set) var current: MemberList
  /// Where the cluster is going, while it goes.
  package private(set) var next: MemberList?
  /// Everybody in either list, each disk once, those of the present list first.
  package private(set) var members: [LayoutMember]
  package private(set) var groups: [GroupState]
  /// The highest number ever given to a member.
  package private(set) var lastMember: Member
  /// The lists of the version before, whose members must agree to this one.
  package private(set) var predecessors: [MemberList]
  /// Members that are gone for good, and what they held with them: nobody waits for their word.
  package private(set) var lost: Set<Member> = []
  /// What was wished and then called off: nothing begins because of it before something else is wished.
  package private(set) var refused: Wish?
  /// Tells this version from others that were proposed for the same number.
  package private(set) var proposal: Ballot

  /// The first version.
  package init(first list: MemberList, of cluster: ClusterID = ClusterID(high: 0, low: 0), proposal: Ballot) {
    self.cluster = cluster
    version = 1
    current = list
    members = list.members
    lastMember = list.members.map(\.member).max() ?? Member(0)
    groups = Array(
      repeating: GroupState(phase: .old, epoch: 1, switches: 0, switchedFrom: 0), count: Self.groupCount)
    predecessors = [list]
    self.proposal = proposal
  }

  /// A version that was decided elsewhere.
  init(
    cluster: ClusterID, version: UInt64, current: MemberList, next: MemberList?, groups: [GroupState],
    lastMember: Member, predecessors: [MemberList], lost: Set<Member>, refused: Wish?, proposal: Ballot
  ) {
    (self.cluster, self.version, self.proposal) = (cluster, version, proposal)
    (self.current, self.next, self.predecessors) = (current, next, predecessors)
    (self.groups, self.lastMember, self.lost, self.refused) = (groups, lastMember, lost, refused)
    members = Self.everybody(current, next)
  }

  private static func everybody(_ current: MemberList, _ next: MemberList?) -> [LayoutMember] {
    let known = Set(current.members.map(\.disk))
    return current.members + (next?.members ?? []).filter { !known.contains($0.disk) }
  }

  /// The lists that are in force.
  package var lists: [MemberList] { next.map { [current, $0] } ?? [current] }

  /// The number of a disk, or nil where it is no member.
  package func member(of disk: DiskID) -> Member? { members.first { $0.disk == disk }?.member }

  /// Whether a majority of each list that is in force is among these.
  package func isQuorum(_ disks: Set<DiskID>, without lost: Set<Member> = []) -> Bool {
    lists.allSatisfy { $0.isMajority(disks, without: self.lost.union(lost)) }
  }

  /// Whether the lists before this one agree to it.
  package func isAgreed(_ disks: Set<DiskID>, without lost: Set<Member> = []) -> Bool {
    predecessors.allSatisfy { $0.isMajority(disks, without: self.lost.union(lost)) }
  }

  /// Who runs the rounds about a slot's keys, and answers for them.
  package func coordinator(of slot: Slot) -> LayoutMember {
    let isNew = groups[slot.group].phase == .new
    return (isNew ? next ?? current : current).firstOwner(of: slot)
  }

  /// Whether values have several copies, or are to have.
  package var hasCopies: Bool { current.copies > 1 || next.map { $0.copies > 1 } ?? false }

  /// Those that answer for a slot's keys, whoever is to be asked first in front. Where there are copies all who vote do;
  /// otherwise the one who has the only copy.
  package func coordinators(of slot: Slot) -> [LayoutMember] {
    guard hasCopies else { return [coordinator(of: slot)] }
    let voters = view(of: slot).voters.filter { !lost.contains($0) }
    return voters.compactMap { voter in members.first { $0.member == voter } }
  }

  /// Whether a disk is that of one of them.
  package func isCoordinator(_ disk: DiskID?, of slot: Slot) -> Bool {
    guard hasCopies else { return coordinator(of: slot).disk == disk }
    return coordinators(of: slot).contains { $0.disk == disk }
  }

  /// Whether values move to somebody who was given up, and came from a list without one.
  package var leadsIntoLoss: Bool { hasLost(next) && !hasLost(current) }

  /// Whether values move away from somebody who was given up.
  package var leadsAway: Bool { hasLost(current) && !hasLost(next) }

  private func hasLost(_ list: MemberList?) -> Bool {
    list?.members.contains { lost.contains($0.member) } ?? false
  }

  /// How many groups have arrived at their next owners.
  package var movedGroupCount: Int { groups.count { $0.phase == .new } }

  /// How things stand with a group.
  package func say(_ group: Int) -> Say { Say(epoch: groups[group].epoch, isShared: isShared(group)) }

  /// Whether more than one node may have a say about a group.
  package func isShared(_ group: Int) -> Bool { current.copies > 1 || groups[group].phase != .old }

  /// Who votes about a slot's keys.
  package func view(of slot: Slot) -> View {
    let state = groups[slot.group]
    switch (state.phase, next) {
    case (.moving, let next?):
      return View(epoch: state.epoch, owners: current.owners(of: slot), nextOwners: next.owners(of: slot))
    case (.new, let next?): return View(epoch: state.epoch, owners: next.owners(of: slot))
    default: return View(epoch: state.epoch, owners: current.owners(of: slot))
    }
  }

  /// Whether a member that went by an earlier version may keep what it has of a slot. Otherwise it missed something, and
  /// starts with nothing: else what was deleted and forgotten meanwhile would come back.
  package func keeps(_ slot: Slot, at member: Member, since earlier: Layout) -> Bool {
    let (before, now) = (earlier.view(of: slot), view(of: slot))
    let (stateBefore, state) = (earlier.groups[slot.group], groups[slot.group])
    // Whoever alone has the say cannot lose it without having answered in the move, so that it knows of it.
    let isSole = before.owners == [member] && (before.nextOwners ?? [member]) == [member]
    if isSole, now.owners.contains(member) { return true }
    switch state.switches &- stateBefore.switches {
    case 0 where before.owners.contains(member): return true
    case 0: return before.hasVoter(member) && before.epoch == now.epoch
    // Whoever was an owner of the old list has been one throughout; whoever was to be one must have been in that very move.
    case 1 where now.owners.contains(member):
      return before.owners.contains(member) || (before.hasVoter(member) && before.epoch == state.switchedFrom)
    default: return false
    }
  }
}

extension Slot {
  /// The group that the slot belongs to: its first byte.
  package var group: Int { number >> 8 }
}

/// What may follow a layout. Each is a version of its own.
extension Layout {
  /// A change begins; nothing moves yet.
  package func changing(to list: MemberList, proposal: Ballot) -> Layout {
    precondition(next == nil, "one change at a time")
    var following = following(proposal)
    following.next = list
    following.refused = nil
    following.members = Self.everybody(current, list)
    following.lastMember = max(lastMember, list.members.map(\.member).max() ?? lastMember)
    return following
  }

  /// These groups' keys become the business of both lists' owners.
  package func moving(_ moved: [Int], proposal: Ballot) -> Layout {
    changingGroups(moved, from: .old, to: .moving, proposal) { _, _ in }
  }

  /// These groups have arrived.
  package func switching(_ moved: [Int], proposal: Ballot) -> Layout {
    changingGroups(moved, from: .moving, to: .new, proposal) { state, epoch in
      state.switches &+= 1
      state.switchedFrom = epoch
    }
  }

  /// These groups stay where they were, which is always safe: every write was there too.
  package func cancelling(_ moved: [Int], proposal: Ballot) -> Layout {
    changingGroups(moved, from: .moving, to: .old, proposal) { _, _ in }
  }

  /// The way back to the list that the change began with, group by group: the same change seen from its other end. What
  /// was moving stays where it was. Where a wish is refused, it begins nothing again.
  package func reversing(refusing wish: Wish? = nil, proposal: Ballot) -> Layout {
    guard let next else { preconditionFailure("there is a change to go back on") }
    let moving = groups.indices.filter { groups[$0].phase == .moving }
    var following = cancelling(moving, proposal: proposal)
    (following.current, following.next, following.refused) = (next, current, wish)
    following.members = Self.everybody(next, current)
    for group in groups.indices {
      following.groups[group].phase = following.groups[group].phase == .old ? .new : .old
    }
    return following
  }

  /// What was called off may be wished again.
  package func acceptingWishes(proposal: Ballot) -> Layout {
    var following = following(proposal)
    following.refused = nil
    return following
  }

  /// Members are gone for good. What they may have decided among themselves meanwhile is overridden, should they ever be
  /// heard of again: they cannot have come as far. Where the version before is not known to be decided, `decided` is the
  /// last that is: who has the say about the groups that have changed since may have been decided otherwise elsewhere, so
  /// that they are given an epoch of their own.
  package func losing(
    _ members: Set<Member>, since decided: UInt64 = .max, proposal: Ballot, rules: LayoutRules = .all
  ) -> Layout {
    var following = following(proposal)
    following.lost.formUnion(members)
    guard rules.contains(.jumpsWhenForced) else { return following }
    // Two that are forced apart from each other are not of one version, so that the higher one prevails later: each round
    // draws from its own ballot how far it goes.
    let drawn = RendezvousDraw.mix(proposal.counter ^ UInt64(proposal.member.number) << 48) >> (64 - Self.drawnBits)
    following.version = version + Self.forcedVersions * (1 + drawn)
    for group in groups.indices where groups[group].epoch > decided && rules.contains(.renewsEpochs) {
      following.groups[group].epoch = following.version
    }
    return following
  }

  /// Another disk of the same host stands in for a member that was given up, in whatever lists that is. Its slots begin
  /// with nothing; so everybody's votes about them begin anew.
  package func substituting(
    _ lost: Member, by disk: DiskID, proposal: Ballot, rules: LayoutRules = .all
  ) -> Layout {
    precondition(self.lost.contains(lost) && member(of: disk) == nil, "a new disk for one that was given up")
    var following = following(proposal)
    following.lastMember = Member(lastMember.number + 1)
    let substitute = { (list: MemberList) in list.substituting(lost, by: following.lastMember, on: disk) }
    (following.current, following.next) = (substitute(current), next.map(substitute))
    following.members = Self.everybody(following.current, following.next)
    guard rules.contains(.renewsEpochs) else { return following }
    for group in groups.indices { following.groups[group].epoch = following.version }
    return following
  }

  /// How many versions ahead a layout is at least that has been forced: more than those come to that it overrides.
  package static let forcedVersions: UInt64 = 1 << 20
  /// And how many times as many it may be.
  private static let drawnBits: UInt64 = 28

  /// All groups have arrived, or none has left.
  package func finished(proposal: Ballot) -> Layout {
    precondition(next != nil && groups.allSatisfy { $0.phase == groups[0].phase }, "all groups are in one place")
    var following = following(proposal)
    if groups[0].phase == .new, let next { following.current = next }
    following.next = nil
    following.members = following.current.members
    for group in groups.indices { following.groups[group].phase = .old }
    return following
  }

  private func changingGroups(
    _ moved: [Int], from before: GroupState.Phase, to after: GroupState.Phase, _ proposal: Ballot,
    _ change: (inout GroupState, UInt64) -> Void
  ) -> Layout {
    var following = following(proposal)
    for group in moved {
      precondition(groups[group].phase == before, "a group goes one step at a time")
      following.groups[group].phase = after
      following.groups[group].epoch = following.version
      change(&following.groups[group], groups[group].epoch)
    }
    return following
  }

  private func following(_ proposal: Ballot) -> Layout {
    var following = self
    following.version += 1
    following.predecessors = lists
    following.lost.formIntersection(members.map(\.member))
    following.proposal = proposal
    return following
  }
}
