import KVCore

/// The weights to place by, so that members hold what was wished.
///
/// A member is chosen for a slot once at the most, so the second and the third owner come from among those that the
/// first has left, and small members get more than their weight asks for: of six that weigh 1, 1, 2, 2, 4 and 4, with
/// three copies, the small ones would hold 1.25 of their share. No formula is known for weights that undo this, but
/// they are easily found: place, count, and correct each weight by what is missing.
package enum EffectiveWeights {
  /// Steps with a part of the slots, which bring weights near, and then with all, so that the slots there are get
  /// fitted.
  private static let (coarseSteps, fineSteps) = (20, 6)

  /// Weights for the members, whose own weights are what is wished: 1 to 65535.
  ///
  /// The same list gives the same weights everywhere, in whatever order it is. The work is that of about seven tables
  /// of all slots for up to 64 members, and of 26 where there are 1024.
  package static func fitted(to members: [RendezvousMember], copies: Int) -> [Int] {
    precondition(members.allSatisfy { $0.weight <= 65_535 }, "a wished weight is 1 to 65535")
    let wished = members.map { UInt64($0.weight) }
    let hasZones = members.contains { $0.zone != nil }
    var weights = scaled(wished)
    // Here choosing does what it should: one owner is chosen by weight, and equal members fare alike.
    if copies == 1 || members.count <= copies { return weights.map { Int($0) } }
    if !hasZones && Set(wished).count == 1 { return weights.map { Int($0) } }
    let targets = MemberShares(members: members, copies: copies).attainable
    for step in 0..<(coarseSteps + fineSteps) {
      let slotCount = step < coarseSteps ? coarseSlotCount(memberCount: members.count) : Slot.count
      let placed = zip(members, weights).map { $0.weighing(Int($1)) }
      let held = counts(RendezvousPlacement(members: placed, copies: copies), slotCount: slotCount)
      weights = scaled(
        weights.indices.map { index in
          let share = held[index] * MemberShares.whole / UInt64(slotCount)
          return corrected(weights[index], target: targets[index], held: share)
        })
    }
    return weights.map { Int($0) }
  }

  /// At least 4096, and 64 for each member, so that counts are more than chance: a power of two.
  private static func coarseSlotCount(memberCount: Int) -> Int {
    var count = 4096
    while count < Slot.count && count < memberCount * 64 { count *= 2 }
    return count
  }

  /// How many copies each member holds of the first so many slots.
  private static func counts(_ placement: RendezvousPlacement, slotCount: Int) -> [UInt64] {
    var counts = Array(repeating: UInt64(0), count: placement.members.count)
    for owner in placement.table(of: 0..<slotCount) { counts[Int(owner)] += 1 }
    return counts
  }

  /// The weight times what was to be held over what is held, from half to twice the weight. Holding more never needs
  /// more than this, since a share grows slower than the weight; so steps do not overshoot.
  private static func corrected(_ weight: UInt64, target: UInt64, held: UInt64) -> UInt64 {
    guard held > 0 else { return weight * 2 }
    return min(max(weight * target / held, weight / 2), weight * 2)
  }

  /// The weights in proportion, the greatest of them the greatest there may be.
  private static func scaled(_ weights: [UInt64]) -> [UInt64] {
    let most = UInt64(RendezvousMember.weights.upperBound)
    let greatest = weights.max() ?? 1
    return weights.map { max($0 * most / greatest, 1) }
  }
}
