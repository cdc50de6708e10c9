import KVCore
import Testing

@testable import KVCluster

@Suite struct ViewTests {
  @Test(
    arguments: [
      ([1], [1], true), ([1], [], false),
      ([1, 2], [1], false), ([1, 2], [1, 2], true),
      ([1, 2, 3], [1], false), ([1, 2, 3], [1, 3], true), ([1, 2, 3], [1, 8, 9], false),
      ([1, 2, 3, 4], [1, 2], false), ([1, 2, 3, 4], [1, 2, 3], true),
      ([1, 2, 3, 4, 5, 6, 7], [1, 2, 3], false), ([1, 2, 3, 4, 5, 6, 7], [4, 5, 6, 7], true),
    ] as [([UInt16], [UInt16], Bool)])
  func aQuorumIsAMajorityOfTheOwners(owners: [UInt16], voters: [UInt16], isQuorum: Bool) {
    let view = View(epoch: 1, owners: owners.map { Member($0) })
    #expect(view.isQuorum(voters.map { Member($0) }) == isQuorum)
  }

  @Test(
    arguments: [
      ([1, 2], false), ([4, 5], false), ([1, 2, 4], false), ([1, 3, 4], true), ([1, 2, 4, 5], true), ([3, 1], false),
    ] as [([UInt16], Bool)])
  func whileAGroupMovesItIsAMajorityOfEach(voters: [UInt16], isQuorum: Bool) {
    let view = View(epoch: 1, owners: members(1, 2, 3), nextOwners: members(3, 4, 5))
    #expect(view.isQuorum(voters.map { Member($0) }) == isQuorum)
    #expect(view.voters == members(1, 2, 3, 4, 5))
  }
}
