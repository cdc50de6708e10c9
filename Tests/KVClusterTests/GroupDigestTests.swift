import KVCore
import Testing

@testable import KVCluster

@Suite struct GroupDigestTests {
  private static let allSlots: SlotSet = {
    var slots = SlotSet()
    for place in 0..<GroupDigest.slotCount { slots.insert(place) }
    return slots
  }()

  private func state(_ counter: UInt64, _ member: UInt16 = 1, hasBytes: Bool = true) -> KeyState {
    KeyState(key: sampleKey, ballot: ballot(counter, member), hasBytes: hasBytes)
  }

  private func differing(_ one: [KeyState], _ other: [KeyState]) -> SlotSet {
    let digests = [one, other].map { states in
      var digest = GroupDigest()
      for state in states { digest.add(state, state.key.slot) }
      return digest
    }
    return digests[0].differing(from: digests[1], among: Self.allSlots)
  }

  @Test func whatIsTheSameHasOneDigestInWhateverOrder() {
    let other = KeyState(key: otherKey, ballot: ballot(7), hasBytes: true)
    #expect(differing([state(1), other], [other, state(1)]).isEmpty)
  }

  @Test(arguments: [(2, 1, true), (1, 2, true), (1, 1, false)] as [(UInt64, UInt16, Bool)])
  func whatDiffersShowsInItsSlotAlone(counter: UInt64, member: UInt16, hasBytes: Bool) {
    let found = differing([state(1)], [state(counter, member, hasBytes: hasBytes)])
    for place in 0..<GroupDigest.slotCount {
      #expect(found.contains(place) == (place == sampleKey.slot.number % GroupDigest.slotCount))
    }
  }

  @Test func whatIsMissingShows() { #expect(differing([state(1)], []).contains(sampleKey.slot)) }

  @Test func slotsThatAreNotAskedForAreLeftOut() {
    var digest = GroupDigest()
    digest.add(state(1), sampleKey.slot)
    #expect(digest.differing(from: GroupDigest(), among: SlotSet()).isEmpty)
  }

  @Test func aDigestOfOtherSlotsIsNone() { #expect(GroupDigest(slots: [1]) == nil) }

  /// What one of two disks lacks is seen by that one alone, so that the two do not mend it both.
  @Test func whoeverHoldsLessIsBehind() {
    let (older, newer) = (held(1, value(3)), held(2, value(4)))
    let damaged = held(2, value(4), hasBytes: false)
    #expect(state(2).isAhead(of: nil))
    #expect(state(2).isAhead(of: older))
    #expect(state(2).isAhead(of: damaged))
    #expect(state(2, hasBytes: false).isAhead(of: older))
    #expect(!state(2).isAhead(of: newer))
    #expect(!state(1).isAhead(of: damaged))
    #expect(!state(2, hasBytes: false).isAhead(of: newer))
    #expect(!state(2, hasBytes: false).isAhead(of: damaged))
  }
}
