import KVCore

/// A node among those that slots are shared out to.
package struct RendezvousMember: Sendable, Hashable {
  /// The weights there are; what 24 bits hold.
  package static let weights = 1...(1 << 24) - 1

  /// What tells it from the others; slots follow the name, wherever it stands in a list.
  package let name: String
  /// The first eight bytes, big-endian, of MD5(name).
  package let seed: UInt64

  /// The seed that a name's MD5 gives.
  package static func seed(digest: [UInt8]) -> UInt64 { digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }

  /// How much it is to hold in comparison with others.
  package let weight: Int
  /// What it may fail together with. A member without one fails alone: it is a zone of its own.
  package let zone: String?

  /// The member of that name.
  package init(name: String, seed: UInt64, weight: Int = 1, zone: String? = nil) {
    precondition(Self.weights.contains(weight), "a weight is 1 to \(Self.weights.upperBound)")
    (self.name, self.seed, self.weight, self.zone) = (name, seed, weight, zone)
  }

  /// The same member with another weight.
  package func weighing(_ weight: Int) -> RendezvousMember {
    RendezvousMember(name: name, seed: seed, weight: weight, zone: zone)
  }
}

/// Which members own a slot, in order, by highest random weight: each member draws for each slot, and who draws best in
/// proportion to its weight comes first. So a member that leaves leaves to the others only what was its own.
/// docs/placement.md has the formula.
package struct RendezvousPlacement: Sendable {
  /// How many owners a slot may have.
  package static let copyCounts = 1...7

  /// The members as they were listed; owners are indices into them.
  package let members: [RendezvousMember]
  /// How many owners a slot has: as many as were wished, or all members where these are fewer.
  package let copyCount: Int

  /// One member as the choice sees it.
  private struct Candidate {
    let seed: UInt64
    let weight: UInt64
    let zone: Int
    let index: UInt16
  }

  /// In the order of the names' bytes, so that of two with one score the first one met is the one to take.
  private let candidates: [Candidate]
  private let zoneCount: Int

  /// Shares the slots out to members, whose names are all different.
  package init(members: [RendezvousMember], copies: Int) {
    precondition((1...Slot.count).contains(members.count), "a placement needs 1 to \(Slot.count) members")
    precondition(Self.copyCounts.contains(copies), "a slot has 1 to 7 owners")
    precondition(Set(members.map { Array($0.name.utf8) }).count == members.count, "two members have one name")
    self.members = members
    copyCount = min(copies, members.count)
    let zones = MemberZones(members)
    zoneCount = zones.count
    let order = members.indices.sorted { members[$0].name.utf8.lexicographicallyPrecedes(members[$1].name.utf8) }
    candidates = order.map { index in
      Candidate(
        seed: members[index].seed, weight: UInt64(members[index].weight), zone: zones.numbers[index],
        index: UInt16(index))
    }
  }

  /// The slot's first owner, as an index into the members. Every request asks for it, so that it makes no list.
  package func firstOwner(of slot: Slot) -> Int {
    var (best, bestWeight, bestDraw): (Int, UInt64, UInt64) = (0, 0, 1)
    for candidate in candidates {
      let draw = RendezvousDraw.draw(seed: candidate.seed, slot: slot)
      guard candidate.weight &* bestDraw > bestWeight &* draw else { continue }
      (best, bestWeight, bestDraw) = (Int(candidate.index), candidate.weight, draw)
    }
    return best
  }

  /// The slot's owners, the first one first, as indices into the members.
  package func owners(of slot: Slot) -> [Int] {
    var choice = Choice(memberCount: members.count, zoneCount: zoneCount)
    var owners: [UInt16] = []
    choose(for: slot, with: &choice, into: &owners)
    return owners.map(Int.init)
  }

  /// The owners of all slots: `copyCount` of them for each slot, slot by slot.
  package func table() -> [UInt16] { table(of: 0..<Slot.count) }

  /// The owners of some slots, one slot after the other.
  func table(of slots: Range<Int>) -> [UInt16] {
    var choice = Choice(memberCount: members.count, zoneCount: zoneCount)
    var owners: [UInt16] = []
    owners.reserveCapacity(slots.count * copyCount)
    for number in slots { choose(for: Slot(number: number), with: &choice, into: &owners) }
    return owners
  }

  /// What is needed while a slot's owners are chosen, kept from slot to slot to save allocations.
  private struct Choice {
    /// By position among the candidates; a candidate that has been chosen has none.
    var draws: [UInt64]
    /// How many owners each zone has given.
    var zoneUses: [Int]

    init(memberCount: Int, zoneCount: Int) {
      draws = Array(repeating: 0, count: memberCount)
      zoneUses = Array(repeating: 0, count: zoneCount)
    }
  }

  /// Appends the slot's owners. Each is the best of the zones that have given the fewest so far, so that with three
  /// zones five owners are two, two and one; a zone that has no more to give does not count.
  private func choose(for slot: Slot, with choice: inout Choice, into owners: inout [UInt16]) {
    for position in candidates.indices {
      choice.draws[position] = RendezvousDraw.draw(seed: candidates[position].seed, slot: slot)
    }
    for zone in choice.zoneUses.indices { choice.zoneUses[zone] = 0 }
    for _ in 0..<copyCount {
      let best = bestPosition(choice)
      choice.draws[best] = Self.taken
      choice.zoneUses[candidates[best].zone] &+= 1
      owners.append(candidates[best].index)
    }
  }

  /// No draw is 0.
  private static let taken: UInt64 = 0

  /// Weight / draw is the score. Two are compared crosswise, which is exact: 24 and 41 bits, of which the highest
  /// draw has but one set, make a product of 64 at the most.
  private func bestPosition(_ choice: Choice) -> Int {
    var best = -1
    var bestUses = Int.max
    var bestWeight: UInt64 = 0
    var bestDraw: UInt64 = 1
    for position in candidates.indices where choice.draws[position] != Self.taken {
      let uses = choice.zoneUses[candidates[position].zone]
      if uses > bestUses { continue }
      let weight = candidates[position].weight
      let draw = choice.draws[position]
      guard uses < bestUses || weight &* bestDraw > bestWeight &* draw else { continue }
      (best, bestUses, bestWeight, bestDraw) = (position, uses, weight, draw)
    }
    return best
  }
}

/// The members' zones, numbered from 0; a member without one has a number of its own.
struct MemberZones {
  /// The zone of each member, in the order of the list.
  let numbers: [Int]
  /// How many there are.
  let count: Int

  init(_ members: [RendezvousMember]) {
    var known: [[UInt8]: Int] = [:]
    var count = 0
    numbers = members.map { member in
      let zone = member.zone.map { Array($0.utf8) }
      if let zone, let number = known[zone] { return number }
      if let zone { known[zone] = count }
      count += 1
      return count - 1
    }
    self.count = count
  }
}
