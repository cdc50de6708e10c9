import KVCore
import Testing

@testable import KVCluster

private let first = Layout(first: memberList([1, 2, 3]), proposal: .none)
/// All hosts but the first are others.
private let second = first.changing(to: memberList([1, 4, 5]), proposal: ballot(5))

private func round(
  from known: Layout = first, propose: @escaping @Sendable (Layout, Ballot) -> Layout? = { _, _ in nil }
) -> LayoutRound { LayoutRound(at: ballot(9), from: known, propose: propose) }

private func proposesSecond(_ layout: Layout, _ ballot: Ballot) -> Layout? {
  layout == first ? first.changing(to: memberList([1, 4, 5]), proposal: ballot) : nil
}

extension LayoutRound {
  fileprivate mutating func answer(_ disks: UInt64..., with answer: LayoutAnswer) -> [Effect] {
    var effects: [Effect] = []
    for number in disks { effects = step(.answer(answer, from: disk(number))) }
    return effects
  }
}

private let nothing = LayoutAnswer.promised(accepted: .none, nil)

@Suite struct LayoutRoundTests {
  @Test func itAsksTheMembersOfWhatIsKnown() {
    #expect(round().start() == [.prepare(first.members)])
  }

  @Test func whatFollowsIsDecidedByAMajorityOfTheOldListAndOfTheNewOne() {
    var round = round(propose: proposesSecond)
    let following = first.changing(to: memberList([1, 4, 5]), proposal: ballot(9))
    #expect(round.answer(1, with: nothing) == [])
    #expect(round.answer(2, with: nothing) == [.accept(following, following.members)])
    #expect(round.answer(1, 2, 3, with: .done) == [])
    #expect(round.answer(4, with: .done) == [.decided(following)])
    #expect(round.answer(5, with: .done) == [])
  }

  @Test func theNewListAloneDoesNotDecide() {
    var round = round(propose: proposesSecond)
    _ = round.answer(1, 2, with: nothing)
    #expect(round.answer(1, 4, 5, with: .done) == [])
    #expect(round.step(.timedOut) == [.failed(above: ballot(9))])
  }

  @Test func whatWasBegunIsCarriedThroughAfterItsMembersWereAskedToo() {
    var round = round()
    #expect(round.answer(1, with: nothing) == [])
    let asked = round.answer(2, with: .promised(accepted: ballot(5), second))
    #expect(asked == [.prepare(second.members.filter { $0.member != Member(1) && $0.member != Member(2) })])
    #expect(round.answer(4, with: nothing) == [.accept(second, second.members)])
    #expect(round.answer(1, 2, 4, with: .done) == [.decided(second)])
  }

  @Test func nothingIsProposedWhereNothingIsWished() {
    var round = round()
    #expect(round.answer(1, 2, with: nothing) == [.settled])
  }

  @Test func ahigherRoundEndsThisOne() {
    var round = round()
    #expect(round.answer(1, with: .outbid(ballot(20))) == [.failed(above: ballot(20))])
    #expect(round.answer(1, 2, with: nothing) == [])
  }
}

@Suite struct LayoutAcceptorTests {
  @Test func itKeepsOutOfRoundsBelowItsPromise() {
    var acceptor = LayoutAcceptor(.init(), horizon: 0)
    #expect(acceptor.prepare(ballot(5)) == .promised(accepted: .none, nil))
    #expect(acceptor.prepare(ballot(4)) == .outbid(ballot(5)))
    #expect(acceptor.accept(ballot(4), first) == .outbid(ballot(5)))
    #expect(acceptor.accept(ballot(5), first) == .done)
    #expect(acceptor.accept(ballot(5), first) == .done)
    #expect(acceptor.prepare(ballot(6)) == .promised(accepted: ballot(5), first))
  }

  @Test func afterARestartItTakesPartInNoRoundAtOrBelowItsHorizon() {
    var acceptor = LayoutAcceptor(.init(), horizon: 7)
    #expect(acceptor.prepare(ballot(7)) == .outbid(.last(of: 7)))
    #expect(acceptor.accept(ballot(7), first) == .outbid(.last(of: 7)))
    #expect(acceptor.prepare(ballot(8)) == .promised(accepted: .none, nil))
  }

  @Test func whatItAcceptedSurvivesARestart() {
    var acceptor = LayoutAcceptor(.init(), horizon: 0)
    _ = acceptor.accept(ballot(5), first)
    var restarted = LayoutAcceptor(acceptor.record, horizon: 3)
    #expect(restarted.prepare(ballot(6)) == .promised(accepted: ballot(5), first))
  }

  @Test func itKnowsTheNewestThatWasDecided() {
    var acceptor = LayoutAcceptor(.init(), horizon: 0)
    #expect(acceptor.learn(second) == true)
    #expect(acceptor.learn(first) == false)
    #expect(acceptor.record.known == second)
  }
}
