import KVCore
import Testing

@testable import KVCluster

@Suite struct LayoutRenewalTests {
  private static let ballot = Ballot(counter: 100, member: Member(1))

  private func disk(_ number: UInt64) -> DiskID { DiskID(high: 0, low: number) }

  private func list(_ numbers: ClosedRange<UInt16>) -> MemberList {
    MemberList(
      numbers.map { LayoutMember(member: Member($0), name: "\($0)", disk: disk(UInt64($0))) }, copies: 1)
  }

  private func layout(_ numbers: ClosedRange<UInt16>) -> Layout { Layout(first: list(numbers), proposal: .none) }

  private func promise(_ accepted: UInt64, _ layout: Layout?, from number: UInt64) -> LayoutRound.Event {
    .answer(.promised(accepted: Ballot(counter: accepted, member: Member(9)), layout), from: disk(number))
  }

  /// The names of those who are asked.
  private func asked(_ effects: [LayoutRenewal.Effect]) -> [String] {
    effects.flatMap { effect in if case .prepare(let members) = effect { members.map(\.name) } else { [String]() } }
  }

  @Test func asksAllOthersAndTakesWhatWasAcceptedLast() {
    let first = layout(1...3)
    var renewal = LayoutRenewal(at: Self.ballot, of: disk(1), known: [first])
    #expect(asked(renewal.start()) == ["2", "3"])
    let later = first.changing(to: list(2...3), proposal: Self.ballot)
    #expect(renewal.step(promise(7, later, from: 2)) == [])
    #expect(
      renewal.step(promise(5, first, from: 3))
        == [.renewed(accepted: Ballot(counter: 7, member: Member(9)), later)])
  }

  @Test func asksThoseTooWhomALaterLayoutNames() {
    let first = layout(1...2)
    var renewal = LayoutRenewal(at: Self.ballot, of: disk(1), known: [first])
    #expect(asked(renewal.start()) == ["2"])
    let later = first.changing(to: list(1...4), proposal: Self.ballot)
    #expect(asked(renewal.step(promise(7, later, from: 2))) == ["3", "4"])
    #expect(renewal.step(promise(6, later, from: 3)) == [])
    #expect(
      renewal.step(promise(0, nil, from: 4)) == [.renewed(accepted: Ballot(counter: 7, member: Member(9)), later)])
  }

  @Test func doesWithoutThoseWhoAreGivenUp() {
    let first = layout(1...3).losing([Member(3)], proposal: Self.ballot)
    var renewal = LayoutRenewal(at: Self.ballot, of: disk(1), known: [first])
    #expect(asked(renewal.start()) == ["2"])
    #expect(renewal.step(promise(7, first, from: 2)).count == 1)
  }

  @Test func failsWhereOneIsSilentOrHasPromisedMore() {
    let first = layout(1...3)
    let higher = Ballot(counter: 101, member: Member(2))
    for (event, above) in [
      (LayoutRound.Event.timedOut, Self.ballot), (.answer(.outbid(higher), from: disk(2)), higher),
    ] {
      var renewal = LayoutRenewal(at: Self.ballot, of: disk(1), known: [first])
      _ = renewal.start()
      #expect(renewal.step(event) == [.failed(above: above)])
      #expect(renewal.step(promise(5, first, from: 3)) == [])
    }
  }

  /// A host that left the cluster after the backup was made may be switched off by now.
  @Test func doesWithoutThoseWhomOnlyAnEarlierLayoutNames() {
    let first = layout(1...3)
    var left = first.changing(to: list(1...2), proposal: Self.ballot)
    left = left.moving(Array(0..<Layout.groupCount), proposal: Self.ballot)
    left = left.switching(Array(0..<Layout.groupCount), proposal: Self.ballot).finished(proposal: Self.ballot)
    var renewal = LayoutRenewal(at: Self.ballot, of: disk(1), known: [left, first])
    #expect(asked(renewal.start()) == ["2"])
    let later = left.changing(to: list(2...4), proposal: Self.ballot)
    renewal = LayoutRenewal(at: Self.ballot, of: disk(1), known: [first, later])
    #expect(asked(renewal.start()) == ["2", "3", "4"])
  }

  @Test func hasItsVoteAtOnceWhereNobodyElseIsThere() {
    var renewal = LayoutRenewal(at: Self.ballot, of: disk(1), known: [layout(1...1)])
    #expect(renewal.start() == [.renewed(accepted: .none, nil)])
  }
}

@Suite struct DiskHistoryTests {
  private static func hello(process: UInt64, _ boots: UInt64, above: UInt64, used: UInt64) -> Hello {
    Hello(
      name: "a", disk: DiskID(high: 0, low: 1), process: process,
      history: DiskHistory(bootCount: boots, begunAbove: above, used: used),
      wish: Wish(hosts: [], copies: 1, rule: .ranges))
  }

  /// A copy of a running disk has a horizon ahead of what was accepted since.
  @Test func aDiskThatHasAcceptedLessHasGoneBack() {
    let later = DiskHistory(bootCount: 2, begunAbove: 900, used: 900, accepted: 70)
    #expect(!later.follows(DiskHistory(bootCount: 1, begunAbove: 0, used: 90, accepted: 80)))
    #expect(later.follows(DiskHistory(bootCount: 1, begunAbove: 0, used: 90, accepted: 70)))
  }

  /// Whoever goes on from a number must be able to.
  @Test(arguments: [0, 1, 2]) func refusesNumbersThatNoDiskComesTo(place: Int) {
    var numbers: [UInt64] = [1, 2, 3]
    numbers[place] = 1 << 62 + 1
    var writer = ByteWriter()
    DiskHistory(bootCount: numbers[0], begunAbove: numbers[1], used: numbers[2]).write(to: &writer)
    var reader = ByteReader(writer.bytes)
    #expect(throws: ByteReader.Malformed.self) { _ = try DiskHistory(reading: &reader) }
  }

  /// After a process that was the fifth on the disk, began above 100, and used 150.
  @Test(
    arguments: [
      (hello(process: 1, 5, above: 100, used: 160), true), (hello(process: 2, 6, above: 150, used: 150), true),
      (hello(process: 2, 9, above: 900, used: 901), true), (hello(process: 2, 5, above: 150, used: 150), false),
      (hello(process: 2, 6, above: 149, used: 200), false), (hello(process: 2, 2, above: 10, used: 20), false),
    ])
  func aDiskGoesOnlyOn(hello: Hello, isLater: Bool) {
    var disk = RememberedDisk(Self.hello(process: 1, 5, above: 100, used: 150))
    #expect(disk.take(hello) == isLater)
    #expect(disk.history.used == (isLater ? hello.history.used : 150))
  }
}
