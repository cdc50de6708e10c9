import KVCore
import Testing
import TestSupport

@testable import KVCluster

/// Weights that undo what choosing without replacement does, and the shares that they are to reach.
struct EffectiveWeightsTests {
  /// What members hold, against what they can.
  private func ratios(_ members: [RendezvousMember], copies: Int = 3, weights: [Int]? = nil) -> [Double] {
    let weights = weights ?? EffectiveWeights.fitted(to: members, copies: copies)
    let placed = PlacedSlots(zip(members, weights).map { $0.weighing($1) }, copies: copies)
    let targets = MemberShares(members: members, copies: copies).attainable
    return zip(placed.loads, targets).map { Double($0) / Double(Slot.count) * Double(MemberShares.whole) / Double($1) }
  }

  @Test(arguments: [[1, 1, 1, 2], [1, 1, 1, 1, 4], [1, 1, 2, 2, 4, 4]])
  func membersHoldWhatWasWished(weights: [Int]) {
    let ratios = ratios(RendezvousMember.nodes(weights: weights))
    #expect(ratios.allSatisfy { (0.985...1.01).contains($0) }, "\(ratios)")
  }

  /// The largest only with `KVNODE_LONG`: a build for debugging takes long over them.
  @Test(arguments: [(5, 1, 5, 4)] + (isLong ? [(10, 1, 10, 2), (40, 1, 10, 3), (45, 1, 5, 20)] : []))
  func manyMembersHoldWhatWasWished(fewer: Int, small: Int, more: Int, large: Int) {
    let weights = Array(repeating: small, count: fewer) + Array(repeating: large, count: more)
    let ratios = ratios(RendezvousMember.nodes(weights: weights))
    #expect(ratios.allSatisfy { (0.985...1.01).contains($0) }, "\(ratios.min() ?? 0) \(ratios.max() ?? 0)")
  }

  /// Zones of two, two and three members, and of unequal weight.
  @Test func zonesShareOutWhatTheyHold() {
    let members = RendezvousMember.nodes(weights: [1, 2, 1, 2, 1, 1, 1], zones: [0, 0, 1, 1, 2, 2, 2])
    let ratios = ratios(members)
    #expect(ratios.allSatisfy { (0.985...1.015).contains($0) }, "\(ratios)")
  }

  @Test func withoutFittingSmallMembersHoldTooMuch() {
    let weights = [1, 1, 2, 2, 4, 4]
    #expect((ratios(RendezvousMember.nodes(weights: weights), weights: weights).max() ?? 0) > 1.2)
  }

  @Test func weightsAreTheVectors() throws {
    let rows = VectorFile.rows("rendezvous-weights")
    #expect(rows.count == 2)
    for row in rows {
      let wished = row[1].split(separator: " ").compactMap { Int($0) }
      let members = RendezvousMember.nodes(weights: wished)
      let fitted = EffectiveWeights.fitted(to: members.reversed(), copies: try #require(Int(row[0])))
      #expect(fitted.reversed().map(String.init).joined(separator: " ") == row[2])
    }
  }

  @Test(arguments: [([2, 2, 2, 2], 3), ([1, 3], 1), ([1, 2, 3], 3)])
  func whatNeedsNoFittingStaysInProportion(weights: [Int], copies: Int) {
    let fitted = EffectiveWeights.fitted(to: RendezvousMember.nodes(weights: weights), copies: copies)
    let greatest = weights.max() ?? 1
    #expect(fitted == weights.map { $0 * ((1 << 24) - 1) / greatest })
  }

  /// New weights for all move few copies more than the new member is to hold.
  @Test func aChangeOfFittedWeightsMovesLittleMore() {
    let weights = [1, 1, 2, 2, 4, 4]
    let (few, more) = (fitted(weights), fitted(weights + [2]))
    let moved = few.moved(to: more)
    #expect(moved < 2.0 / 16 + 0.02, "\(moved)")
  }

  private func fitted(_ weights: [Int]) -> PlacedSlots {
    let members = RendezvousMember.nodes(weights: weights)
    return PlacedSlots(zip(members, EffectiveWeights.fitted(to: members, copies: 3)).map { $0.weighing($1) })
  }
}

/// What members are to hold.
struct MemberSharesTests {
  private func shares(_ weights: [Int], _ zones: [Int]? = nil, copies: Int = 3) -> MemberShares {
    MemberShares(members: RendezvousMember.nodes(weights: weights, zones: zones), copies: copies)
  }

  private func rounded(_ values: [Double]) -> [Double] { values.map { ($0 * 1000).rounded() / 1000 } }

  @Test(arguments: [1, 3, 7], [3, 4, 50])
  func equalMembersAreEven(copies: Int, count: Int) {
    let shares = shares(Array(repeating: 65_535, count: count), copies: copies)
    #expect(rounded(shares.lopsidedness).allSatisfy { $0 == 1 })
  }

  /// Nobody holds two copies of a slot: what one member cannot hold the others do.
  @Test func aMemberHoldsNoMoreThanEverything() {
    let shares = shares([1, 1, 1, 1, 4])
    #expect(shares.attainable.map { Double($0) / Double(MemberShares.whole) } == [0.5, 0.5, 0.5, 0.5, 1])
    #expect(rounded(shares.lopsidedness) == [1.333, 1.333, 1.333, 1.333, 0.667])
  }

  @Test func aZoneOfOneMemberIsTheFullest() {
    let ones = Array(repeating: 1, count: 7)
    #expect(rounded(shares(Array(ones.prefix(6)), [0, 0, 1, 1, 2, 2]).lopsidedness).allSatisfy { $0 == 1 })
    #expect(
      rounded(shares(Array(ones.prefix(5)), [0, 0, 1, 1, 2]).lopsidedness) == [0.833, 0.833, 0.833, 0.833, 1.667])
    let last = rounded(shares(ones, [0, 0, 0, 1, 1, 1, 2]).lopsidedness)
    #expect(last == Array(repeating: 0.778, count: 6) + [2.333])
  }

  /// Five owners in zones of one, two and four: the one, both of the two, and two of the four.
  @Test func zonesTakeTurnsUntilTheyHaveNoMore() {
    let shares = shares(Array(repeating: 1, count: 7), [0, 1, 1, 2, 2, 2, 2], copies: 5)
    #expect(shares.attainable.map { Double($0) / Double(MemberShares.whole) } == [1, 1, 1, 0.5, 0.5, 0.5, 0.5])
  }

  /// What is shared out is what there is, for members of any kind.
  @Test(arguments: 0..<100)
  func allCopiesAreSharedOut(round: Int) {
    var random = SeededGenerator(round: round, 13)
    let count = Int.random(in: 1...30, using: &random)
    let weights = (0..<count).map { _ in max(random.size(through: 65_535), 1) }
    let zones = (0..<count).map { _ in Int.random(in: 0...4, using: &random) }
    for copies in 1...7 {
      let shares = shares(weights, round % 2 == 0 ? zones : nil, copies: copies)
      #expect(shares.attainable.allSatisfy { $0 <= MemberShares.whole })
      let sum = Double(shares.attainable.reduce(0, +)) / Double(MemberShares.whole)
      #expect(abs(sum - Double(min(copies, count))) < 0.0001, "\(sum)")
    }
  }
}
