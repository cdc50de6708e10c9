import KVCore
import Testing

@testable import KVCluster

@Suite struct RepairBacklogTests {
  private var backlog = RepairBacklog(countMax: 4)

  private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

  private func key(_ number: Int) throws -> Key { try Key(Array("key\(number)".utf8)) }

  @Test mutating func aKeyIsLookedAtOnceItIsDueAndByOneAtATime() {
    backlog.note(sampleKey, .behind, at: at(0), due: at(5))
    #expect(backlog.take(at: at(4), silent: []) == nil)
    #expect(backlog.take(at: at(5), silent: []) == sampleKey)
    #expect(backlog.take(at: at(5), silent: []) == nil)
    #expect(backlog.finish(sampleKey, .done, at: at(6)) == nil)
    #expect(backlog.take(at: at(1000), silent: []) == nil)
    #expect(backlog.behindCount == 0)
  }

  @Test mutating func whatIsNotedWhileItIsInHandIsLookedAtAgain() {
    backlog.note(sampleKey, .behind, at: at(0), due: at(0))
    _ = backlog.take(at: at(0), silent: [])
    backlog.note(sampleKey, .behind, at: at(1), due: at(1))
    _ = backlog.finish(sampleKey, .done, at: at(2))
    #expect(backlog.take(at: at(2), silent: []) == sampleKey)
    _ = backlog.finish(sampleKey, .done, at: at(3))
    #expect(backlog.take(at: at(3), silent: []) == nil)
  }

  @Test(arguments: [(0, 1), (1, 2), (5, 32), (9, 512), (10, 600), (1000, 600)])
  func pausesDoubleUpToTheLongest(failures: Int, seconds: Int) {
    #expect(RepairBacklog.pause(afterFailures: failures) == .seconds(seconds))
  }

  /// A failure is told when it comes again, and then no more.
  @Test mutating func aFailureIsToldOnce() {
    backlog.note(sampleKey, .behind, at: at(0), due: at(0))
    var told: [String?] = []
    for second in [0, 1, 3, 7] {
      #expect(backlog.take(at: at(Int64(second)), silent: []) == sampleKey)
      told.append(backlog.finish(sampleKey, .failed("full"), at: at(Int64(second))))
      #expect(backlog.take(at: at(Int64(second)), silent: []) == nil)
    }
    #expect(told == [nil, "full", nil, nil])
    #expect(backlog.behindSince == at(0))
  }

  @Test mutating func whatWaitsForSomebodyIsLookedAtWhenThatOneAnswersAgain() {
    let (second, third) = (Member(2), Member(3))
    backlog.note(sampleKey, .behind, at: at(0), due: at(0), waitingFor: [second])
    backlog.note(otherKey, .behind, at: at(0), due: at(0), waitingFor: [third])
    // Time and again it is put off, further each time.
    for second in 0..<2000 { #expect(backlog.take(at: at(Int64(second)), silent: [Member(2), third]) == nil) }
    backlog.answerAgain([second], at: at(2000))
    #expect(backlog.take(at: at(2000), silent: [third]) == sampleKey)
    #expect(backlog.take(at: at(2000), silent: [third]) == nil)
  }

  @Test mutating func aKeyThatWaitsInVainKeepsNoOtherFromItsTurn() throws {
    backlog.note(sampleKey, .behind, at: at(0), due: at(0), waitingFor: [Member(2)])
    backlog.note(otherKey, .behind, at: at(0), due: at(0))
    #expect(backlog.take(at: at(0), silent: [Member(2)]) == otherKey)
  }

  /// What is known to be missing has room where there is none any more for what is only to be forgotten.
  @Test mutating func thereIsRoomForSome() throws {
    for number in 0..<4 { backlog.note(try key(number), .deleted, at: at(0), due: at(0)) }
    #expect(backlog.entries.count == 2)
    #expect(!backlog.isIncomplete)
    for number in 4..<8 { backlog.note(try key(number), .behind, at: at(0), due: at(0)) }
    #expect(backlog.entries.count == 4)
    #expect(backlog.behindCount == 2)
    #expect(backlog.isIncomplete)
    backlog.compared()
    #expect(!backlog.isIncomplete)
  }

  @Test mutating func aDeletionThatIsNotOldEnoughIsNoCopyTooFew() {
    backlog.note(sampleKey, .behind, at: at(0), due: at(0))
    _ = backlog.take(at: at(0), silent: [])
    #expect(backlog.finish(sampleKey, .notBefore(at(30)), at: at(1)) == nil)
    #expect(backlog.behindCount == 0)
    #expect(backlog.take(at: at(29), silent: []) == nil)
    #expect(backlog.take(at: at(30), silent: []) == sampleKey)
  }
}
