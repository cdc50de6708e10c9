import Glibc
import KVCore
import Testing
import TestSupport

@testable import KVCluster

/// All owners of all slots, and what they say of balance and movement.
struct PlacedSlots {
  let placement: RendezvousPlacement
  let owners: [UInt16]

  init(_ members: [RendezvousMember], copies: Int = 3) {
    placement = RendezvousPlacement(members: members, copies: copies)
    owners = placement.table()
  }

  /// How many copies each member holds.
  var loads: [Int] {
    var loads = Array(repeating: 0, count: placement.members.count)
    for owner in owners { loads[Int(owner)] += 1 }
    return loads
  }

  /// The fullest and the emptiest against the mean.
  var extremes: (fullest: Double, emptiest: Double) {
    let mean = Double(owners.count) / Double(loads.count)
    return (Double(loads.max() ?? 0) / mean, Double(loads.min() ?? 0) / mean)
  }

  /// Which part of the copies that the other placement wants has to be made, where members have the same names.
  func moved(to other: PlacedSlots) -> Double {
    let names = Dictionary(uniqueKeysWithValues: placement.members.enumerated().map { ($1.name, UInt16($0)) })
    let translated = other.placement.members.map { names[$0.name] ?? UInt16.max }
    let (count, otherCount) = (placement.copyCount, other.placement.copyCount)
    var moved = 0
    for slot in 0..<Slot.count {
      let old = owners[slot * count..<(slot + 1) * count]
      for position in slot * otherCount..<(slot + 1) * otherCount {
        if !old.contains(translated[Int(other.owners[position])]) { moved += 1 }
      }
    }
    return Double(moved) / Double(other.owners.count)
  }
}

/// Whether somebody has time for the large clusters too, which take long in a build for debugging.
let isLong = getenv("KVNODE_LONG") != nil

/// Balance and movement, which docs/placement.md has figures for.
struct RendezvousBalanceTests {
  /// Equal members, three copies: the fullest and the emptiest against the mean.
  @Test(arguments: [(3, 1.000, 1.000), (4, 1.004, 0.996), (5, 1.006, 0.994), (8, 1.006, 0.990), (10, 1.009, 0.991)])
  func equalMembersHoldTheSame(count: Int, fullest: Double, emptiest: Double) {
    let extremes = PlacedSlots(RendezvousMember.nodes(count)).extremes
    #expect(abs(extremes.fullest - fullest) < 0.01 && abs(extremes.emptiest - emptiest) < 0.01)
  }

  @Test(arguments: isLong ? [(16, 1.014), (24, 1.017), (32, 1.022), (50, 1.037)] : [(50, 1.037)])
  func manyEqualMembersHoldTheSame(count: Int, fullest: Double) {
    #expect(abs(PlacedSlots(RendezvousMember.nodes(count)).extremes.fullest - fullest) < 0.01)
  }

  /// One more moves what it is to hold, and not a hundredth more; one less moves what it held.
  @Test(arguments: isLong ? [3, 4, 8, 16, 49] : [3, 4, 8])
  func aChangeMovesWhatItMust(count: Int) {
    let (few, more) = (PlacedSlots(RendezvousMember.nodes(count)), PlacedSlots(RendezvousMember.nodes(count + 1)))
    let ideal = 1 / Double(count + 1)
    #expect(abs(few.moved(to: more) - ideal) < ideal / 100)
    #expect(abs(more.moved(to: few) - ideal) < ideal / 100)
  }

  /// With as many zones as copies, each zone holds a copy of everything, whatever it has for it.
  @Test(arguments: [([0, 0, 1, 1, 2, 2], 1.007), ([0, 0, 1, 1, 2], 1.667), ([0, 0, 0, 1, 1, 1, 2], 2.333)])
  func zonesHoldACopyOfEverything(zones: [Int], fullest: Double) {
    let members = RendezvousMember.nodes(weights: zones.map { _ in 1 }, zones: zones)
    let placed = PlacedSlots(members)
    #expect(abs(placed.extremes.fullest - fullest) < 0.01)
    for zone in 0...2 { #expect(zip(zones, placed.loads).reduce(0) { $0 + ($1.0 == zone ? $1.1 : 0) } == Slot.count) }
  }
}
