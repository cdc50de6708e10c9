import KVCore
import Testing

@testable import KVCluster

/// What owners 1, 2 … hold, in the order in which they answer; and what comes of it, if anything does before the end.
private struct Case: Sendable, CustomTestStringConvertible {
  let testDescription: String
  var view = threeOwners
  var waitsForAll = false
  let answers: [(UInt16, RegisterAnswer)]
  let outcome: Reading.Outcome?
}

private func holds(_ held: Held?, floor: UInt64 = 0) -> RegisterAnswer { .holds(testimony(held, floor: floor)) }

private let old = held(4, value(1))
private let new = held(5, value(2))
private let joint = View(epoch: 2, owners: members(1, 2, 3), nextOwners: members(3, 4, 5))

private let cases = [
  Case(
    testDescription: "two of three hold the same", answers: [(1, holds(old)), (2, holds(old))],
    outcome: .chosen(old, holders: members(1, 2), behind: [])),
  Case(testDescription: "one of three", answers: [(1, holds(old))], outcome: nil),
  Case(testDescription: "two differ", answers: [(1, holds(old)), (2, holds(new))], outcome: nil),
  Case(
    testDescription: "two differ, the third agrees with one",
    answers: [(1, holds(old)), (2, holds(new)), (3, holds(new))],
    outcome: .chosen(new, holders: members(2, 3), behind: members(1))),
  Case(
    testDescription: "the same upload at two ballots is not the same",
    answers: [(1, holds(held(4, value(1)))), (2, holds(held(5, value(1)))), (3, holds(nil))], outcome: .unsettled),
  Case(
    testDescription: "two have nothing", answers: [(1, holds(nil)), (2, holds(nil, floor: 9))],
    outcome: .chosen(nil, holders: members(1, 2), behind: [])),
  Case(
    testDescription: "a vote without bytes counts",
    answers: [(1, holds(old)), (2, holds(held(4, value(1), hasBytes: false)))],
    outcome: .chosen(old, holders: members(1), behind: members(2))),
  Case(
    testDescription: "one answers, two cannot", answers: [(1, holds(old)), (2, .unable), (3, .unable)],
    outcome: .unavailable),
  Case(
    testDescription: "strangers do not count", answers: [(1, holds(old)), (7, holds(old)), (8, holds(old))],
    outcome: nil),
  Case(testDescription: "twice the same disk is once", answers: [(1, holds(old)), (1, holds(old))], outcome: nil),
  Case(
    testDescription: "while the group moves, the old owners are not enough",
    view: joint, answers: [(1, holds(old)), (2, holds(old))], outcome: nil),
  Case(
    testDescription: "while the group moves, a majority of each list is",
    view: joint, answers: [(1, holds(old)), (3, holds(old)), (4, holds(old))],
    outcome: .chosen(old, holders: members(1, 3, 4), behind: [])),
  Case(
    testDescription: "a repair waits for all", waitsForAll: true, answers: [(1, holds(old)), (2, holds(old))],
    outcome: nil),
  Case(
    testDescription: "a repair teaches who is behind", waitsForAll: true,
    answers: [(1, holds(new)), (2, holds(new)), (3, holds(nil))],
    outcome: .chosen(new, holders: members(1, 2), behind: members(3))),
  Case(
    testDescription: "a repair cannot teach who is ahead", waitsForAll: true,
    answers: [(1, holds(old)), (2, holds(old)), (3, holds(new))], outcome: .unsettled),
]

@Suite struct ReadingTests {
  @Test(arguments: cases) fileprivate func whatOwnersHoldIsAnAnswerOrNot(example: Case) {
    var reading = Reading(example.view, waitsForAll: example.waitsForAll)
    var outcomes: [Reading.Outcome?] = []
    for (member, answer) in example.answers {
      outcomes.append(reading.take(answer, asked: Member(member), member: Member(member)))
    }
    #expect(outcomes.last == example.outcome)
    // Not one answer too early.
    #expect(outcomes.dropLast().allSatisfy { $0 == nil })
  }

  @Test func votesAreCountedByDiskNotByWhoWasAsked() {
    var reading = Reading(threeOwners)
    #expect(reading.take(holds(old), asked: Member(1), member: Member(1)) == nil)
    #expect(reading.take(holds(old), asked: Member(2), member: Member(1)) == nil)
    #expect(reading.take(holds(old), asked: Member(2), member: Member(9)) == nil)
    #expect(reading.end() == .unavailable)
  }

  @Test(
    arguments: [
      (
        [(1, holds(held(4, deletion(1)))), (2, holds(held(4, deletion(1)))), (3, holds(held(4, deletion(1))))],
        ballot(4)
      ),
      ([(1, holds(held(4, deletion(1)))), (2, holds(held(4, deletion(1)))), (3, holds(nil))], nil),
      ([(1, holds(held(4, deletion(1)))), (2, holds(held(4, deletion(1)))), (3, .unable)], nil),
      ([(1, holds(held(4, deletion(1)))), (2, holds(held(4, deletion(1)))), (3, holds(held(5, deletion(1))))], nil),
      ([(1, holds(old)), (2, holds(old)), (3, holds(old))], nil),
    ] as [([(UInt16, RegisterAnswer)], Ballot?)])
  func aDeletionIsForgottenOnlyWhereAllOwnersHoldIt(answers: [(UInt16, RegisterAnswer)], expected: Ballot?) {
    var reading = Reading(threeOwners, waitsForAll: true)
    for (member, answer) in answers { _ = reading.take(answer, asked: Member(member), member: Member(member)) }
    #expect(reading.deletionOfAll == expected)
  }

  @Test func noDeletionIsForgottenWhileTheGroupMoves() {
    var reading = Reading(joint, waitsForAll: true)
    for member in joint.voters { _ = reading.take(holds(held(4, deletion(1))), asked: member, member: member) }
    #expect(reading.deletionOfAll == nil)
  }
}
