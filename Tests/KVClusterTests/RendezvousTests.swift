import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVCluster

extension RendezvousMember {
  /// A member whose seed is made as docs/placement.md says.
  static func named(_ name: String, weight: Int = 1, zone: String? = nil) -> RendezvousMember {
    let seed = MD5.digest(Array(name.utf8)).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return RendezvousMember(name: name, seed: seed, weight: weight, zone: zone)
  }

  /// node1 and so on, with those weights and zones, or weight 1 and none.
  static func nodes(weights: [Int], zones: [Int]? = nil) -> [RendezvousMember] {
    weights.indices.map { index in
      named("node\(index + 1)", weight: weights[index], zone: zones.map { "zone\($0[index])" })
    }
  }

  /// So many equal ones.
  static func nodes(_ count: Int) -> [RendezvousMember] { nodes(weights: Array(repeating: 1, count: count)) }
}

extension RendezvousPlacement {
  /// The owners' names.
  func ownerNames(of slot: Int) -> [String] { owners(of: Slot(number: slot)).map { members[$0].name } }
}

/// The rule, compared with scripts/placement.py, and what must hold for any members.
struct RendezvousTests {
  @Test func allVectorsAreThere() {
    #expect(RendezvousVector.all.count > 250)
    #expect(VectorFile.rows("rendezvous-draws").count == 192)
  }

  @Test(arguments: RendezvousVector.all)
  func ownersAreTheVectors(vector: RendezvousVector) {
    let members = vector.members.map { RendezvousMember.named($0.name, weight: $0.weight, zone: $0.zone) }
    let placement = RendezvousPlacement(members: members, copies: vector.copies)
    #expect(placement.ownerNames(of: vector.slot) == vector.owners)
  }

  @Test func drawsAreTheVectors() throws {
    for row in VectorFile.rows("rendezvous-draws") where row[0] != "table" && row[0] != "sum" {
      let number = try #require(UInt64(row[0]))
      #expect(RendezvousDraw.negativeLogarithm(of: number) == UInt64(row[1]), "\(number)")
    }
  }

  @Test func logarithmsAreTheVectors() throws {
    for row in VectorFile.rows("rendezvous-draws") where row[0] == "table" {
      let index = try #require(Int(row[1]))
      #expect(RendezvousDraw.logarithms[index] == UInt64(row[2]), "\(index)")
    }
    let sum = VectorFile.rows("rendezvous-draws").first { $0[0] == "sum" }
    #expect(UInt64(sum?[1] ?? "") == RendezvousDraw.logarithms.reduce(0, +))
  }

  @Test func drawsLieBetweenTheirBounds() {
    #expect(RendezvousDraw.negativeLogarithm(of: 1) == RendezvousDraw.highest)
    #expect(RendezvousDraw.negativeLogarithm(of: .max) == 1)
    let weightMax = UInt64(RendezvousMember.weights.upperBound)
    #expect(!weightMax.multipliedReportingOverflow(by: RendezvousDraw.highest).overflow)
  }

  /// Where cells of the table meet, and at powers of two, as well as anywhere.
  @Test func greaterNumbersNeverHaveGreaterDraws() {
    var random = SeededGenerator(round: 0, 7)
    let edges = (1...2047).map { UInt64($0) << 53 }
    for number in edges + (0..<2000).map({ _ in random.next() >> UInt64.random(in: 2..<56, using: &random) | 2 }) {
      let draws = [number &- 1 | 1, number | 1, (number | 1) &+ 2].map(RendezvousDraw.negativeLogarithm)
      #expect(draws[0] >= draws[1] && draws[1] >= draws[2], "\(number)")
    }
  }

  /// Two names with one seed have one score for every slot, whatever the order of the list.
  @Test func namesSettleEqualScores() {
    let twins = ["b", "a", "é", "z"].map { RendezvousMember(name: $0, seed: 42) }
    for members in [twins, twins.reversed()] {
      #expect(RendezvousPlacement(members: members, copies: 4).ownerNames(of: 9) == ["a", "b", "z", "é"])
    }
  }

  @Test func theTableSaysWhatOwnersSay() {
    let placement = RendezvousPlacement(members: .init(RendezvousMember.nodes(weights: [3, 1, 2, 5])), copies: 3)
    let table = placement.table()
    #expect(table.count == Slot.count * 3)
    for slot in [0, 1, 4781, 65_535] {
      #expect(placement.owners(of: Slot(number: slot)) == (0..<3).map { Int(table[slot * 3 + $0]) })
    }
  }

  @Test func fewerMembersThanCopiesOwnEverything() {
    let placement = RendezvousPlacement(members: RendezvousMember.nodes(2), copies: 7)
    #expect(placement.copyCount == 2)
    #expect((0..<100).allSatisfy { Set(placement.ownerNames(of: $0)) == ["node1", "node2"] })
  }

  @Test func noMembersTraps() async {
    await #expect(processExitsWith: .failure) { _ = RendezvousPlacement(members: [], copies: 3) }
  }

  @Test func twoOfOneNameTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = RendezvousPlacement(members: [.named("a"), .named("a")], copies: 3)
    }
  }
}

/// What must hold for any members: random ones, with weights and zones.
struct RendezvousPropertyTests {
  private static func cluster(_ round: Int) -> (members: [RendezvousMember], copies: Int, slots: [Int]) {
    var random = SeededGenerator(round: round, 11)
    let count = Int.random(in: 2...14, using: &random)
    let zoneCount = Int.random(in: 0...5, using: &random)
    let members = (0..<count).map { index in
      let zone = zoneCount == 0 ? nil : "zone\(Int.random(in: 1...zoneCount, using: &random))"
      return RendezvousMember.named("n\(index)-\(round)", weight: Int.random(in: 1...9, using: &random), zone: zone)
    }
    let slots = (0..<40).map { _ in Int.random(in: 0..<Slot.count, using: &random) }
    return (members, Int.random(in: 1...7, using: &random), slots)
  }

  @Test(arguments: 0..<60)
  func theOrderOfTheListChangesNothing(round: Int) {
    let (members, copies, slots) = Self.cluster(round)
    var random = SeededGenerator(round: round, 12)
    let one = RendezvousPlacement(members: members, copies: copies)
    let other = RendezvousPlacement(members: members.shuffled(using: &random), copies: copies)
    #expect(slots.allSatisfy { one.ownerNames(of: $0) == other.ownerNames(of: $0) })
  }

  /// Owners are different members, and no zone gives two more than one that has a member left.
  @Test(arguments: 0..<60)
  func ownersAreApart(round: Int) {
    let (members, copies, slots) = Self.cluster(round)
    let placement = RendezvousPlacement(members: members, copies: copies)
    for slot in slots {
      let owners = placement.owners(of: Slot(number: slot))
      #expect(Set(owners).count == min(copies, members.count))
      let zoneOf = { (index: Int) in members[index].zone ?? "member \(index)" }
      let uses = Dictionary(grouping: owners, by: zoneOf).mapValues(\.count)
      let free = Set(members.indices).subtracting(owners).map { uses[zoneOf($0)] ?? 0 }.min() ?? Int.max - 1
      #expect(uses.values.allSatisfy { $0 <= free + 1 })
    }
  }

  /// A slot that a leaving member did not own keeps its owners in their order; the others exchange that member alone.
  @Test(arguments: 0..<60)
  func aMemberThatLeavesMovesOnlyItsOwn(round: Int) {
    let (members, copies, slots) = Self.cluster(round)
    let before = RendezvousPlacement(members: members, copies: copies)
    for leaver in members {
      let after = RendezvousPlacement(members: members.filter { $0 != leaver }, copies: copies)
      for slot in slots {
        let (old, new) = (before.ownerNames(of: slot), after.ownerNames(of: slot))
        guard old.contains(leaver.name) else {
          #expect(old == new)
          continue
        }
        #expect(Set(old).subtracting(new) == [leaver.name])
        #expect(Set(new).subtracting(old).count == min(1, max(0, members.count - copies)))
      }
    }
  }
}
