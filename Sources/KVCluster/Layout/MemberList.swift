import KVCore

/// A disk that a layout lists.
package struct LayoutMember: Hashable, Sendable {
  package let member: Member
  /// The host's name in the peer list.
  package let name: String
  package let disk: DiskID
  /// How much the host is wished to hold in comparison with others.
  package let weight: Int
  /// What it may fail together with, or nil where it fails alone.
  package let zone: String?
  /// What the list places it by.
  package let draw: Draw

  /// How a member takes part in the choice of a slot's owners, where these are drawn.
  package struct Draw: Hashable, Sendable {
    package let seed: UInt64
    /// The weight that makes it hold what is wished.
    package let weight: Int

    package init(seed: UInt64, weight: Int) { (self.seed, self.weight) = (seed, weight) }

    /// Of one that is listed where nothing is drawn.
    package static let none = Draw(seed: 0, weight: 1)
  }

  package init(
    member: Member, name: String, disk: DiskID, weight: Int = 1, zone: String? = nil, draw: Draw = .none
  ) {
    (self.member, self.name, self.disk) = (member, name, disk)
    (self.weight, self.zone, self.draw) = (weight, zone, draw)
  }
}

/// Who stores values, by which rule, and how many copies of each.
package struct MemberList: Sendable {
  /// In the order of the peer list.
  package let members: [LayoutMember]
  package let copies: Int
  package let rule: PlacementRule
  private let placement: Placed

  /// The rule made for these members.
  private enum Placed {
    case ranges(Placement)
    case rendezvous(RendezvousPlacement)
  }

  package init(_ members: [LayoutMember], copies: Int, rule: PlacementRule = .ranges) {
    precondition(!members.isEmpty && copies >= 1, "a list has members, and values have copies")
    self.members = members
    self.copies = min(copies, members.count)
    self.rule = rule
    switch rule {
    case .ranges: placement = .ranges(Placement(nodeCount: members.count))
    case .rendezvous:
      let drawing = members.map {
        RendezvousMember(name: $0.name, seed: $0.draw.seed, weight: $0.draw.weight, zone: $0.zone)
      }
      placement = .rendezvous(RendezvousPlacement(members: drawing, copies: copies))
    }
  }

  /// The same with another disk in a member's place.
  func substituting(_ lost: Member, by member: Member, on disk: DiskID) -> MemberList {
    MemberList(
      members.map { old in
        guard old.member == lost else { return old }
        return LayoutMember(
          member: member, name: old.name, disk: disk, weight: old.weight, zone: old.zone, draw: old.draw)
      }, copies: copies, rule: rule)
  }

  /// The slot's owners in order.
  package func owners(of slot: Slot) -> [Member] {
    switch placement {
    case .ranges(let placement):
      // The one that the ranges give, and the next ones in the list.
      let first = placement.owner(of: slot)
      return (0..<copies).map { members[(first + $0) % members.count].member }
    case .rendezvous(let placement):
      if copies == 1 { return [members[placement.firstOwner(of: slot)].member] }
      return placement.owners(of: slot).map { members[$0].member }
    }
  }

  /// The slot's first owner.
  package func firstOwner(of slot: Slot) -> LayoutMember {
    switch placement {
    case .ranges(let placement): members[placement.owner(of: slot)]
    case .rendezvous(let placement): members[placement.firstOwner(of: slot)]
    }
  }

  /// The next slot that may have other owners: by ranges, one in the next range.
  func nextOwned(after slot: Slot) -> Slot? {
    switch placement {
    case .ranges(let placement): placement.rangeEnd(of: slot)
    case .rendezvous: slot.number + 1 < Slot.count ? Slot(number: slot.number + 1) : nil
    }
  }

  /// Whether these disks are most of the list's. Members that are given up do not count.
  package func isMajority(_ disks: Set<DiskID>, without lost: Set<Member> = []) -> Bool {
    let voters = members.filter { !lost.contains($0.member) }
    return 2 * voters.count { disks.contains($0.disk) } > voters.count
  }
}

/// What it was made from is all that there is to it.
extension MemberList: Hashable {
  package static func == (left: MemberList, right: MemberList) -> Bool {
    left.members == right.members && left.copies == right.copies && left.rule == right.rule
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(members)
    hasher.combine(copies)
    hasher.combine(rule)
  }
}
