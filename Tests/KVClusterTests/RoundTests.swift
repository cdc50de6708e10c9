import KVCore
import Testing

@testable import KVCluster

private let old = held(4, value(1))

/// A round among three owners, with what it was told so far.
private struct Play {
  var round: Round
  var last: [Round.Effect]
  private(set) var current = Ballot.none

  init(_ purpose: Round.Purpose, mayBeWritten: Bool = false) {
    round = Round(purpose, threeOwners, mayBeWritten: mayBeWritten)
    last = round.start()
  }

  mutating func begin(_ counter: UInt64) {
    current = ballot(counter)
    last = round.step(.begin(current))
  }

  /// What an owner holds, which it says with its promise.
  mutating func promise(_ member: UInt16, _ held: Held?, floor: UInt64 = 0) {
    answer(member, .promised(testimony(held, floor: floor)), to: .prepare(current))
  }

  mutating func accept(_ member: UInt16, _ descriptor: Descriptor, _ answer: RegisterAnswer = .done) {
    self.answer(member, answer, to: .accept(current, descriptor))
  }

  mutating func answer(_ member: UInt16, _ answer: RegisterAnswer, to request: RegisterRequest) {
    last = round.step(.answer(answer, to: request, asked: Member(member), member: Member(member)))
  }

  mutating func timeOut() { last = round.step(.timedOut) }
}

private func write(_ upload: UInt64, if condition: @escaping @Sendable (Descriptor?) -> Bool = { _ in true })
  -> Round.Purpose
{
  Round.Purpose(write: value(upload), if: condition)
}

private func askToAccept(_ counter: UInt64, _ descriptor: Descriptor) -> [Round.Effect] {
  [.send(.accept(ballot(counter), descriptor), to: threeOwners.owners)]
}

@Suite struct RoundTests {
  @Test func aWriteIsPreparedAcceptedAndChosen() {
    var play = Play(write(2))
    #expect(play.last == [.wantBallot(above: .none, attempt: 1)])
    play.begin(5)
    #expect(play.last == [.send(.prepare(ballot(5)), to: threeOwners.owners)])
    play.promise(1, old)
    #expect(play.last == [])
    play.promise(3, nil)
    #expect(play.last == askToAccept(5, value(2)))
    play.accept(2, value(2))
    #expect(play.last == [])
    play.accept(1, value(2))
    #expect(play.last == [.finish(.chosen(held(5, value(2))))])
  }

  @Test func whatAQuorumHoldsAtOneBallotIsCertainWithoutMoreAdo() {
    var play = Play(.certainty)
    play.begin(5)
    play.promise(1, old)
    play.promise(2, old)
    #expect(play.last == [.finish(.chosen(old))])
  }

  // Rule 1: no answer rests on what is not chosen.
  @Test(
    arguments: [
      (Round.Purpose.certainty, Round.Outcome.chosen(held(5, value(1)))),
      (write(2, if: { $0 == nil }), .refused(held(5, value(1)))),
    ] as [(Round.Purpose, Round.Outcome)])
  func whatMayBeHeldByTooFewIsProposedAgainBeforeItIsAnAnswer(purpose: Round.Purpose, outcome: Round.Outcome) {
    var play = Play(purpose)
    play.begin(5)
    play.promise(1, old)
    play.promise(2, nil)
    #expect(play.last == askToAccept(5, value(1)))
    play.accept(1, value(1))
    play.accept(2, value(1))
    #expect(play.last == [.finish(outcome)])
  }

  @Test(
    arguments: [
      (held(4, value(1)), false), (held(4, deletion(1)), true), (nil, true),
    ] as [(Held?, Bool)])
  func aConditionSeesNothingInADeletion(held: Held?, holds: Bool) {
    var play = Play(write(2, if: { $0 == nil }))
    play.begin(5)
    play.promise(1, held)
    play.promise(2, held)
    #expect(play.last == (holds ? askToAccept(5, value(2)) : [.finish(.refused(held))]))
  }

  // Rule 2: what may have been accepted somewhere is never applied again. Nor is anything refused then (rule 3), whatever
  // was forgotten meanwhile (rule 5).
  @Test(
    arguments: [
      (old, old, [.finish(.unknown)]),
      (nil, nil, [.finish(.unknown)]),
      (held(5, value(2)), held(5, value(2)), [.finish(.chosen(held(5, value(2))))]),
      (held(5, value(2)), old, askToAccept(9, value(2))),
      (held(5, value(2)), held(6, value(3)), [.finish(.unknown)]),
    ] as [(Held?, Held?, [Round.Effect])])
  func aWriteThatMayHaveBeenTakenEndsInSuccessOrDoubt(first: Held?, second: Held?, effects: [Round.Effect]) {
    var play = Play(write(2, if: { $0?.upload == value(1).upload }), mayBeWritten: true)
    play.begin(9)
    play.promise(1, first)
    play.promise(2, second)
    #expect(play.last == effects)
  }

  // What a client repeats is not done again while it is in force, whichever upload it came with, nor refused for that. With
  // other bytes it is refused.
  @Test(
    arguments: [
      (held(4, value(1, bytes: 2, request: 7)), Round.Outcome.chosen),
      (held(4, value(1, bytes: 3, request: 7)), Round.Outcome.refused),
    ] as [(Held, @Sendable (Held?) -> Round.Outcome)])
  func whatIsRepeatedIsRecognisedWhileItIsInForce(present: Held, outcome: @Sendable (Held?) -> Round.Outcome) {
    let purpose = Round.Purpose(write: value(2, request: 7)) { $0 == nil }
    var play = Play(purpose)
    play.begin(9)
    play.promise(1, present)
    play.promise(2, present)
    #expect(play.last == [.finish(outcome(present))])
    // Where too few hold it, it is proposed once more first.
    play = Play(purpose)
    play.begin(9)
    play.promise(1, present)
    play.promise(2, nil)
    #expect(play.last == askToAccept(9, present.descriptor))
    play.accept(1, present.descriptor)
    play.accept(3, present.descriptor)
    #expect(play.last == [.finish(outcome(held(9, present.descriptor)))])
    // What may yet be made itself could come after what the client does next.
    play = Play(purpose, mayBeWritten: true)
    play.begin(9)
    play.promise(1, present)
    play.promise(2, present)
    #expect(play.last == [.finish(.unknown)])
  }

  // Where those who vote for it have lost its bytes, the repeated request brings them.
  @Test func whatIsRepeatedIsTakenOnceMoreWhereNobodyHasItsBytes() {
    let present = held(4, value(1, bytes: 2, request: 7), hasBytes: false)
    var play = Play(Round.Purpose(write: value(2, request: 7)) { $0 == nil })
    play.begin(9)
    play.promise(1, present)
    play.promise(2, present)
    #expect(play.last == askToAccept(9, value(2, request: 7)))
    play.accept(1, value(2, request: 7))
    play.accept(3, value(2, request: 7))
    #expect(play.last == [.finish(.chosen(held(9, value(2, request: 7))))])
  }

  @Test(arguments: [nil, 8] as [UInt64?])
  func whatComesByAnotherNameIsDone(request: UInt64?) {
    var play = Play(Round.Purpose(write: value(2, request: request)))
    play.begin(9)
    play.promise(1, held(4, value(1, bytes: 2, request: 7)))
    play.promise(2, held(4, value(1, bytes: 2, request: 7)))
    #expect(play.last == askToAccept(9, value(2, request: request)))
  }

  // Rule 4: a refusal proves something only where all say that they hold something older.
  @Test(
    arguments: [
      (
        [
          .outbid(highest: ballot(8), accepted: ballot(4)), .outbid(highest: ballot(8), accepted: .none),
          .outbid(highest: ballot(7), accepted: ballot(4)),
        ], false
      ),
      (
        [
          .outbid(highest: ballot(8), accepted: ballot(4)), .outbid(highest: ballot(8), accepted: ballot(5)),
          .outbid(highest: ballot(8), accepted: ballot(4)),
        ], true
      ),
      (
        [.outbid(highest: ballot(8), accepted: ballot(4)), .unable, .outbid(highest: ballot(8), accepted: ballot(4))],
        true
      ),
      (
        [.outbid(highest: ballot(8), accepted: ballot(4)), .done, .outbid(highest: ballot(8), accepted: ballot(4))],
        true
      ),
    ] as [([RegisterAnswer], Bool)])
  func aRefusalIsProofOnlyWithWhatIsHeld(answers: [RegisterAnswer], mayBeWritten: Bool) {
    var play = Play(write(2))
    play.begin(5)
    play.promise(1, old)
    play.promise(2, old)
    for (index, answer) in answers.enumerated() { play.accept(UInt16(index + 1), value(2), answer) }
    #expect(play.last == [.wantBallot(above: ballot(8), attempt: 2)])
    #expect(play.round.mayBeWritten == mayBeWritten)
  }

  @Test func silenceIsNoProof() {
    var play = Play(write(2))
    play.begin(5)
    play.promise(1, old)
    play.promise(2, old)
    play.timeOut()
    #expect(play.last == [.wantBallot(above: ballot(5), attempt: 2)])
    #expect(play.round.mayBeWritten)
  }

  // Rule 6: agreement is on the ballot.
  @Test func theSameUploadAtTwoBallotsIsProposedAgain() {
    var play = Play(.certainty)
    play.begin(9)
    play.promise(1, held(4, value(1)))
    play.promise(2, held(5, value(1)))
    #expect(play.last == askToAccept(9, value(1)))
  }

  @Test func onlyAnswersToTheLastRequestCount() {
    var play = Play(write(2))
    play.begin(5)
    play.promise(1, old)
    play.answer(2, .promised(testimony(old)), to: .prepare(ballot(3)))
    #expect(play.last == [])
    play.promise(2, old)
    play.answer(3, .done, to: .accept(ballot(3), value(2)))
    play.answer(1, .outbid(highest: ballot(6), accepted: ballot(4)), to: .prepare(ballot(5)))
    play.accept(1, value(2))
    #expect(play.last == [])
  }

  @Test func whoLacksTheBytesIsGivenThemAndAskedAgain() {
    var play = Play(write(2))
    play.begin(5)
    play.promise(1, nil)
    play.promise(2, nil)
    play.accept(3, value(2), .lacksBytes)
    #expect(play.last == [.supply(value(2).upload, to: Member(3))])
    play.last = play.round.step(.supplied(Member(3)))
    #expect(play.last == [.send(.accept(ballot(5), value(2)), to: members(3))])
  }

  @Test(arguments: [(false, Round.Outcome.notWritten), (true, .unknown)])
  func itGivesUpAfterSomeAttempts(reachesAccept: Bool, outcome: Round.Outcome) {
    var play = Play(write(2))
    for attempt in 1...Round.attemptsMax {
      play.begin(UInt64(10 * attempt))
      if reachesAccept, attempt == 1 {
        play.promise(1, nil)
        play.promise(2, nil)
      }
      play.timeOut()
    }
    #expect(play.last == [.finish(outcome)])
    play.timeOut()
    #expect(play.last == [])
  }

  @Test func aRoundWhoseOwnersAreOthersEndsAndKnowsWhetherItTried() {
    var play = Play(write(2))
    play.begin(5)
    #expect(play.round.step(.moved) == [.finish(.moved)])
    #expect(!play.round.mayBeWritten)
    play = Play(write(2))
    play.begin(5)
    play.promise(1, nil)
    play.promise(2, nil)
    #expect(play.round.step(.moved) == [.finish(.moved)])
    #expect(play.round.mayBeWritten)
    #expect(play.round.step(.moved) == [])
  }
}
