import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVCluster

struct PlacementTests {
  @Test func allVectorsAreThere() {
    #expect(PlacementVector.all.count == 275)
  }

  @Test(arguments: PlacementVector.all)
  func ownerIsTheVectors(vector: PlacementVector) {
    let owner = Placement(nodeCount: vector.nodeCount).owner(of: Slot(number: vector.slot))
    #expect("node\(owner + 1)" == vector.owner)
  }

  /// The rule as docs/protocol.md words it, by search.
  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 10, 16, 31, 64, 100, 255, 256])
  func everySlotFollowsTheRule(nodeCount: Int) {
    let placement = Placement(nodeCount: nodeCount)
    let split = 65_536 / nodeCount
    let wrong = (0..<65_536).first { number in
      let owner = (1...nodeCount).first { (($0 - 1) * split...$0 * split).contains(number) } ?? 1
      return placement.owner(of: Slot(number: number)) != owner - 1
    }
    #expect(wrong == nil)
  }

  @Test(arguments: [1, 2, 3, 7, 100, 255, 256, 65_536])
  func aRangeEndsWhereTheOwnerChanges(nodeCount: Int) {
    let placement = Placement(nodeCount: nodeCount)
    let owners = (0..<65_536).map { placement.owner(of: Slot(number: $0)) }
    var (end, wrong): (Int?, Int?)
    for number in (0..<65_536).reversed() {
      if placement.rangeEnd(of: Slot(number: number))?.number != end { wrong = number }
      if number > 0, owners[number - 1] != owners[number] { end = number }
    }
    #expect(wrong == nil)
  }

  @Test(arguments: [(0, 0), (1, 0), (16_384, 0), (16_385, 1), (32_768, 1), (49_152, 2), (49_153, 3), (65_535, 3)])
  func upperBoundsBelongToTheLowerNode(slot: Int, owner: Int) {
    #expect(Placement(nodeCount: 4).owner(of: Slot(number: slot)) == owner)
  }

  @Test func slotsLeftOverAreTheFirstNodes() {
    let placement = Placement(nodeCount: 100)
    #expect(placement.owner(of: Slot(number: 65_500)) == 99)
    #expect(placement.owner(of: Slot(number: 65_501)) == 0)
  }

  @Test func asManyNodesAsSlots() {
    let placement = Placement(nodeCount: 65_536)
    #expect([0, 1, 2, 65_535].map { placement.owner(of: Slot(number: $0)) } == [0, 0, 1, 65_534])
  }

  @Test(arguments: [0, 65_537])
  func trapsOnACountThatIsNone(nodeCount: Int) async {
    await #expect(processExitsWith: .failure) { [nodeCount] in _ = Placement(nodeCount: nodeCount) }
  }
}
