import KVCore
import Testing
import TestSupport

@testable import KVLinux

@Suite struct DeadlinesTests {
  private func instant(_ nanoseconds: Int64) -> Instant { Instant(nanoseconds: nanoseconds) }

  @Test func comeInOrderOnceTheyHavePassed() {
    var deadlines = Deadlines()
    for token: UInt64 in [5, 1, 4, 2, 3] { deadlines.insert(instant(Int64(token) * 10), token: token) }
    var popped: [UInt64] = []
    while let token = deadlines.popOverdue(at: instant(30), isLive: { _ in true }) { popped.append(token) }
    #expect(popped == [1, 2, 3])
    #expect(deadlines.earliest { _ in true } == instant(40))
  }

  @Test func thoseOfEndedWaitsAreDropped() {
    var deadlines = Deadlines()
    for token: UInt64 in 0..<10 { deadlines.insert(instant(Int64(token)), token: token) }
    #expect(deadlines.popOverdue(at: instant(100)) { $0 == 7 } == 7)
    #expect(deadlines.earliest { $0 == 9 } == instant(9))
    #expect(deadlines.earliest { _ in false } == nil)
    #expect(deadlines.count == 0)
  }

  @Test func memoryFollowsTheWaits() {
    var deadlines = Deadlines()
    for token: UInt64 in 0..<100_000 {
      deadlines.insert(instant(60_000_000_000 + Int64(token)), token: token)
      // Only the last one goes on.
      deadlines.compact(liveCount: 1) { $0 == token }
    }
    #expect(deadlines.count <= 1027)
    #expect(deadlines.earliest { $0 == 99_999 } == instant(60_000_099_999))
  }

  @Test func agreeWithASortedList() {
    var generator = SeededGenerator(seed: 17)
    var deadlines = Deadlines()
    var live: [UInt64: Int64] = [:]
    for token: UInt64 in 0..<5000 {
      let at = Int64.random(in: 0..<1000, using: &generator)
      deadlines.insert(instant(at), token: token)
      live[token] = at
      if generator.next() % 3 == 0, let ended = live.keys.randomElement(using: &generator) { live[ended] = nil }
      deadlines.compact(liveCount: live.count) { live[$0] != nil }
    }
    var previous: Int64 = -1
    while let token = deadlines.popOverdue(at: instant(1000), isLive: { live[$0] != nil }) {
      let at = live.removeValue(forKey: token) ?? -1
      #expect(at >= previous)
      previous = at
    }
    #expect(live.isEmpty)
  }
}
