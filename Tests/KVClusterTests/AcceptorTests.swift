import KVCore
import Testing

@testable import KVCluster

/// A disk with its horizon at 100, which it has reached in this life, so that its votes begin at ballot 1.
private func acceptor(promised: UInt64? = nil, promisesMax: Int = 10, rules: Rules = .all) -> Acceptor {
  var acceptor = Acceptor(horizon: 0, rules: rules, promisesMax: promisesMax, horizonStep: 50)
  acceptor.raised(to: 100)
  if let promised {
    _ = acceptor.step(.prepare(ballot(promised)), sampleKey, group: 7, testimony(nil), isStaged: false)
  }
  return acceptor
}

/// One row of what a disk does when it is asked something.
private struct Row: Sendable, CustomTestStringConvertible {
  let testDescription: String
  var promised: UInt64?
  var has = testimony(nil)
  let request: RegisterRequest
  var isStaged = false
  let effects: [Acceptor.Effect]
}

private func outbid(_ highest: UInt64, _ accepted: Ballot = .none) -> Acceptor.Effect {
  .answer(.outbid(highest: ballot(highest), accepted: accepted))
}

private let done = Acceptor.Effect.answer(.done)
private let lacksBytes = Acceptor.Effect.answer(.lacksBytes)

private let valueAt4 = held(4, value(1))
private let deletionAt4 = held(4, deletion(1))

private let reads = [
  Row(testDescription: "absent", request: .read, effects: [.answer(.holds(testimony(nil)))]),
  Row(
    testDescription: "absent, with what may have been forgotten", has: testimony(nil, floor: 9), request: .read,
    effects: [.answer(.holds(testimony(nil, floor: 9)))]),
  Row(
    testDescription: "a value, whatever is promised", promised: 9, has: testimony(valueAt4), request: .read,
    effects: [.answer(.holds(testimony(valueAt4)))]),
]

private let prepares = [
  Row(
    testDescription: "nothing against it", has: testimony(valueAt4), request: .prepare(ballot(5)),
    effects: [.answer(.promised(testimony(valueAt4)))]),
  Row(
    testDescription: "above the promise", promised: 5, request: .prepare(ballot(6)),
    effects: [.answer(.promised(testimony(nil)))]),
  Row(
    testDescription: "the same once more", promised: 5, request: .prepare(ballot(5)),
    effects: [.answer(.promised(testimony(nil)))]),
  Row(testDescription: "below the promise", promised: 5, request: .prepare(ballot(4)), effects: [outbid(5)]),
  Row(
    testDescription: "the promised counter, by a lower member", promised: 5,
    request: .prepare(ballot(5, 0)), effects: [outbid(5)]),
  Row(
    testDescription: "what is accepted", has: testimony(valueAt4), request: .prepare(ballot(4)),
    effects: [outbid(4, ballot(4))]),
  Row(
    testDescription: "promised, and accepted since", promised: 4, has: testimony(valueAt4),
    request: .prepare(ballot(4)),
    effects: [outbid(4, ballot(4))]),
  Row(
    testDescription: "at the floor where absent", has: testimony(nil, floor: 9), request: .prepare(ballot(9)),
    effects: [outbid(9)]),
  Row(
    testDescription: "below the floor where something is held", has: testimony(valueAt4, floor: 9),
    request: .prepare(ballot(5)), effects: [.answer(.promised(testimony(valueAt4, floor: 9)))]),
  Row(
    testDescription: "above the horizon", request: .prepare(ballot(101)),
    effects: [.raiseHorizon(151), .answer(.promised(testimony(nil)))]),
]

private let accepts = [
  Row(
    testDescription: "staged, as promised", promised: 5, request: .accept(ballot(5), value(2)), isStaged: true,
    effects: [.store(held(5, value(2)), from: .staging), done]),
  Row(
    testDescription: "staged, promised to nobody", request: .accept(ballot(5), value(2)), isStaged: true,
    effects: [.store(held(5, value(2)), from: .staging), done]),
  Row(testDescription: "not staged", promised: 5, request: .accept(ballot(5), value(2)), effects: [lacksBytes]),
  Row(
    testDescription: "not staged, but the bytes are in place", promised: 5, has: testimony(valueAt4),
    request: .accept(ballot(5), value(1)), effects: [.store(held(5, value(1)), from: .place), done]),
  Row(
    testDescription: "in place, but damaged", promised: 5, has: testimony(held(4, value(1), hasBytes: false)),
    request: .accept(ballot(5), value(1)), effects: [lacksBytes]),
  Row(
    testDescription: "a deletion needs no bytes", promised: 5, has: testimony(valueAt4),
    request: .accept(ballot(5), deletion(2)), effects: [.store(held(5, deletion(2)), from: .place), done]),
  Row(
    testDescription: "the same once more, though outbid since", promised: 9, has: testimony(valueAt4),
    request: .accept(ballot(4), value(1)), effects: [done]),
  Row(
    testDescription: "below the promise", promised: 9, has: testimony(valueAt4), request: .accept(ballot(5), value(2)),
    isStaged: true, effects: [outbid(9, ballot(4))]),
  Row(
    testDescription: "below what is accepted", has: testimony(valueAt4), request: .accept(ballot(3), value(2)),
    isStaged: true, effects: [outbid(4, ballot(4))]),
  Row(
    testDescription: "below the floor where absent", has: testimony(nil, floor: 9),
    request: .accept(ballot(8), value(2)), isStaged: true, effects: [outbid(9, ballot(9))]),
  Row(
    testDescription: "above the horizon", request: .accept(ballot(101), deletion(2)),
    effects: [.raiseHorizon(151), .store(held(101, deletion(2)), from: .place), done]),
]

private let lessons = [
  Row(
    testDescription: "newer, whatever is promised", promised: 9, has: testimony(valueAt4),
    request: .learn(ballot(5), value(2)), isStaged: true, effects: [.store(held(5, value(2)), from: .staging), done]),
  Row(
    testDescription: "newer, without bytes", has: testimony(valueAt4), request: .learn(ballot(5), value(2)),
    effects: [lacksBytes]),
  Row(testDescription: "known", has: testimony(valueAt4), request: .learn(ballot(4), value(1)), effects: [done]),
  Row(
    testDescription: "older", has: testimony(valueAt4), request: .learn(ballot(3), value(2)), isStaged: true,
    effects: [done]),
  Row(
    testDescription: "known, and the lost bytes are here again", has: testimony(held(4, value(1), hasBytes: false)),
    request: .learn(ballot(4), value(1)), isStaged: true, effects: [.store(held(4, value(1)), from: .staging), done]),
  Row(
    testDescription: "known, and the lost bytes are not here", has: testimony(held(4, value(1), hasBytes: false)),
    request: .learn(ballot(4), value(1)), effects: [lacksBytes]),
  Row(
    testDescription: "perhaps deleted and forgotten", has: testimony(nil, floor: 9),
    request: .learn(ballot(9), value(1)),
    isStaged: true, effects: [outbid(9)]),
  Row(
    testDescription: "certainly not forgotten", has: testimony(nil, floor: 9), request: .learn(ballot(10), value(1)),
    isStaged: true, effects: [.store(held(10, value(1)), from: .staging), done]),
  Row(
    testDescription: "above the horizon", request: .learn(ballot(101), deletion(2)),
    effects: [.raiseHorizon(151), .store(held(101, deletion(2)), from: .place), done]),
]

private let purges = [
  Row(
    testDescription: "a deletion", has: testimony(deletionAt4), request: .purge(ballot(4)),
    effects: [.raiseFloor(ballot(4)), .remove, done]),
  Row(
    testDescription: "a deletion, and more is promised", promised: 6, has: testimony(deletionAt4),
    request: .purge(ballot(4)), effects: [.raiseFloor(ballot(6)), .remove, done]),
  Row(
    testDescription: "a deletion, and the floor is higher", has: testimony(deletionAt4, floor: 9),
    request: .purge(ballot(4)), effects: [.raiseFloor(ballot(9)), .remove, done]),
  Row(testDescription: "a value", has: testimony(valueAt4), request: .purge(ballot(4)), effects: [done]),
  Row(testDescription: "another deletion", has: testimony(deletionAt4), request: .purge(ballot(3)), effects: [done]),
  Row(testDescription: "nothing", request: .purge(ballot(3)), effects: [done]),
]

@Suite struct AcceptorTests {
  @Test(arguments: [reads, prepares, accepts, lessons, purges].flatMap { $0 })
  fileprivate func aRequestDoesWhatTheTableSays(row: Row) {
    var acceptor = acceptor(promised: row.promised)
    #expect(acceptor.step(row.request, sampleKey, group: 7, row.has, isStaged: row.isStaged) == row.effects)
  }

  @Test func afterARestartNothingAtOrBelowTheHorizonIsTakenPartIn() {
    var acceptor = Acceptor(horizon: 20)
    for request in [RegisterRequest.prepare(ballot(20, 999)), .accept(ballot(20, 999), deletion(1))] {
      #expect(
        acceptor.step(request, sampleKey, group: 7, testimony(nil), isStaged: false)
          == [.answer(.outbid(highest: .last(of: 20), accepted: .none))])
    }
    let effects = acceptor.step(.prepare(ballot(21)), sampleKey, group: 7, testimony(nil), isStaged: false)
    #expect(effects.last == .answer(.promised(testimony(nil))))
  }

  @Test func anAcceptCountsAsAPromise() {
    var acceptor = acceptor()
    _ = acceptor.step(.accept(ballot(5), deletion(1)), sampleKey, group: 7, testimony(nil), isStaged: false)
    #expect(acceptor.step(.prepare(ballot(4)), sampleKey, group: 7, testimony(nil), isStaged: false) == [outbid(5)])
  }

  @Test func aForgottenPromiseCountsForItsGroupAlone() {
    var acceptor = acceptor(promised: 9, promisesMax: 1)
    _ = acceptor.step(.prepare(ballot(3)), otherKey, group: 8, testimony(nil), isStaged: false)
    #expect(acceptor.step(.prepare(ballot(8)), sampleKey, group: 7, testimony(nil), isStaged: false) == [outbid(9)])
    let other = acceptor.step(.prepare(ballot(4)), otherKey, group: 8, testimony(nil), isStaged: false)
    #expect(other == [.answer(.promised(testimony(nil)))])
  }

  @Test func aDiskWhoseSyncHasFailedVotesNoMore() {
    var acceptor = acceptor()
    acceptor.syncFailed()
    for request in [RegisterRequest.read, .prepare(ballot(5)), .accept(ballot(5), deletion(1))] {
      #expect(acceptor.step(request, sampleKey, group: 7, testimony(nil), isStaged: false) == [.answer(.unable)])
    }
  }

  @Test(
    arguments: [
      (highest: 0, wall: 10, expected: 10 + 1),
      (highest: 50, wall: 10, expected: 50 + 1),
      (highest: 0, wall: 0, expected: 42 + 1),
    ] as [(highest: UInt64, wall: UInt64, expected: UInt64)])
  func aBallotIsAboveTheClockAndAllThatWasSeen(highest: UInt64, wall: UInt64, expected: UInt64) {
    var acceptor = acceptor(promised: expected == 43 ? 42 : nil)
    let (first, before) = acceptor.ballot(for: Member(3), above: ballot(highest), wallMicroseconds: wall)
    #expect(first == ballot(expected, 3))
    #expect(before.isEmpty)
    let second = acceptor.ballot(for: Member(3), above: .none, wallMicroseconds: 0).ballot
    #expect(second == ballot(expected + 1, 3))
  }

  @Test func aBallotAboveTheHorizonWaitsForIt() {
    var acceptor = acceptor()
    let (_, before) = acceptor.ballot(for: Member(3), above: ballot(200), wallMicroseconds: 0)
    #expect(before == [.raiseHorizon(251)])
    acceptor.raised(to: 251)
    let next = acceptor.ballot(for: Member(3), above: .none, wallMicroseconds: 0)
    #expect(next.before.isEmpty)
  }
}
