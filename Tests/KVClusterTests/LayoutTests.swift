import KVCore
import Testing

@testable import KVCluster

private let slot = Slot(number: 0)
private let first = Layout(first: memberList([1, 2, 3]), proposal: .none)
private let allGroups = Array(0..<Layout.groupCount)

/// From members 1, 2, 3 to 1, 2, 4: the steps of a change that comes to its end.
private let changing = first.changing(to: memberList([1, 2, 4]), proposal: ballot(1))
private let moving = changing.moving(allGroups, proposal: ballot(2))
private let switched = moving.switching(allGroups, proposal: ballot(3))
private let finished = switched.finished(proposal: ballot(4))

@Suite struct LayoutTests {
  @Test(
    arguments: [
      (first, [1, 2, 3], nil), (changing, [1, 2, 3], nil), (moving, [1, 2, 3], [1, 2, 4]), (switched, [1, 2, 4], nil),
      (finished, [1, 2, 4], nil), (moving.cancelling(allGroups, proposal: ballot(3)), [1, 2, 3], nil),
    ] as [(Layout, [UInt16], [UInt16]?)])
  func theOwnersFollowTheGroup(layout: Layout, owners: [UInt16], nextOwners: [UInt16]?) {
    #expect(layout.view(of: slot).owners == owners.map { Member($0) })
    #expect(layout.view(of: slot).nextOwners == nextOwners.map { $0.map { Member($0) } })
  }

  @Test func eachStepIsAVersionAndOnlyMovesChangeAGroupsEpoch() {
    #expect([first, changing, moving, switched, finished].map(\.version) == [1, 2, 3, 4, 5])
    #expect([first, changing, moving, switched, finished].map { $0.view(of: slot).epoch } == [1, 1, 3, 4, 4])
  }

  @Test func aGroupMovesByItself() {
    let one = changing.moving([1], proposal: ballot(2))
    #expect(one.view(of: Slot(number: 0x0100)).isMoving)
    #expect(!one.view(of: Slot(number: 0x0200)).isMoving)
  }

  @Test func aChangeThatIsGivenUpLeavesTheList() {
    let ended = changing.finished(proposal: ballot(2))
    #expect(ended.current == first.current)
    #expect(ended.next == nil)
    #expect(ended.members == first.members)
  }

  @Test(
    arguments: [
      (first, [1, 2], true), (first, [1, 9], false), (changing, [1, 2], true), (changing, [1, 3], false),
      (changing, [1, 3, 4], true), (finished, [2, 4], true), (finished, [2, 3], false),
    ] as [(Layout, [UInt64], Bool)])
  func aQuorumIsAMajorityOfEachListInForce(layout: Layout, disks: [UInt64], isQuorum: Bool) {
    #expect(layout.isQuorum(Set(disks.map { disk($0) })) == isQuorum)
  }

  @Test func membersAreThoseOfBothListsOnce() {
    #expect(changing.members.map(\.member) == members(1, 2, 3, 4))
    #expect(finished.members.map(\.member) == members(1, 2, 4))
    #expect(changing.member(of: disk(4)) == Member(4))
    #expect(finished.member(of: disk(3)) == nil)
    #expect(finished.lastMember == Member(4))
  }

  /// Whether a member that went by one layout may keep what it has under another.
  /// Nobody can have got the say of a sole owner without its own answer, however many changes it has missed.
  @Test func aSoleOwnerKeepsWhatItHasWhateverItMissed() {
    func change(_ layout: Layout, to numbers: [UInt16]) -> Layout {
      layout.changing(to: memberList(numbers, copies: 1), proposal: ballot(2)).moving(allGroups, proposal: ballot(3))
        .switching(allGroups, proposal: ballot(4)).finished(proposal: ballot(5))
    }
    let alone = Layout(first: memberList([1, 2, 3], copies: 1), proposal: .none)
    let later = change(change(alone, to: [1, 2, 4]), to: [1, 2, 5])
    let own = Slot(number: 1)
    #expect(alone.view(of: own).owners == members(1))
    #expect(later.view(of: own).owners == members(1))
    #expect(later.keeps(own, at: Member(1), since: alone))
    // Whoever was not the owner, or is none any more, missed something.
    #expect(!later.keeps(own, at: Member(2), since: alone))
    let gone = change(later, to: [2, 5])
    #expect(!gone.keeps(own, at: Member(1), since: alone))
  }

  @Test(
    arguments: [
      (2, first, finished, true),
      // It was to be an owner, in this very move, or it was not yet.
      (4, moving, finished, true), (4, changing, finished, false), (4, first, finished, false),
      // It no longer is one.
      (3, first, finished, false),
      // Nothing has been decided about the group since.
      (3, first, moving, true), (4, moving, moving, true), (4, changing, moving, false),
    ] as [(UInt16, Layout, Layout, Bool)])
  func aMemberKeepsWhatItHasOnlyWhereItMissedNothing(member: UInt16, before: Layout, now: Layout, keeps: Bool) {
    #expect(now.keeps(slot, at: Member(member), since: before) == keeps)
  }

  @Test func whoLeftAndCameBackKeepsNothing() {
    let back = finished.changing(to: memberList([1, 2, 3]), proposal: ballot(5)).moving(allGroups, proposal: ballot(6))
    #expect(!back.keeps(slot, at: Member(3), since: first))
    #expect(back.keeps(slot, at: Member(1), since: first))
    let again = back.cancelling(allGroups, proposal: ballot(7)).moving(allGroups, proposal: ballot(8))
    #expect(!again.keeps(slot, at: Member(3), since: back))
  }

  @Test(arguments: [(1, 3, 1), (3, 3, 3), (3, 2, 2)])
  func thereAreAsManyOwnersAsCopiesOrMembers(copies: Int, hosts: Int, expected: Int) {
    let list = memberList(Array(1...UInt16(hosts)), copies: copies)
    #expect(Set(list.owners(of: Slot(number: 65_535))).count == expected)
  }
}
