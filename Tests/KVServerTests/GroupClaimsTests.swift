import KVCluster
import KVCore
import Testing

@testable import KVServer

/// What moves here is brought in turn, without a clock.
@Suite struct GroupClaimsTests {
  private let claims = GroupClaims()
  private let start = Instant(nanoseconds: 1_000_000_000)
  private let goals = [3, 4, 5].map { SyncedGroup(group: $0, epoch: 7) }

  private func take(_ goals: [SyncedGroup], after milliseconds: Int = 0) -> UInt8? {
    claims.take(from: goals, at: at(milliseconds))?.group
  }

  private func at(_ milliseconds: Int) -> Instant { start.advanced(by: .milliseconds(milliseconds)) }

  @Test func whatIsBeingBroughtIsGivenToNobodyElse() {
    #expect(take(goals) == 3)
    #expect(take(goals) == 4)
    claims.finish(goals[0], .arrived, at: start)
    #expect(take(goals) == 3)
    #expect(take(goals) == 5)
    #expect(take(goals) == nil)
  }

  @Test func aGroupThatIsNotToBeHadKeepsNoOtherWaiting() {
    #expect(take(goals) == 3)
    claims.finish(goals[0], .obstructed, at: start)
    #expect(take(goals, after: 999) == 4)
    #expect(take(goals, after: 1000) == 3)
  }

  @Test func aLayoutThatIsNotEverybodysYetIsWaitedForShortlyAndLongerEachTime() {
    let goals = [goals[0]]
    var now = 0
    for pause in [20, 40, 80, 160, 320, 640, 1000, 1000] {
      #expect(take(goals, after: now) == 3)
      claims.finish(goals[0], .passing, at: at(now))
      #expect(take(goals, after: now + pause - 1) == nil)
      now += pause
    }
  }

  @Test func whatMovesAnewWaitsForNothing() {
    #expect(take(goals) == 3)
    claims.finish(goals[0], .obstructed, at: start)
    #expect(take([SyncedGroup(group: 3, epoch: 8)]) == 3)
  }
}
