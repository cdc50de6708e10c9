import KVCore
import KVLinux
import Testing

@testable import KVCluster

/// What a new owner makes of what the present ones tell of a group.
@Suite struct GroupSurveyTests {
  private static let group = 7

  /// Members 1, 2 and so on; the keys' slots do not matter where all have the same owners.
  private func list(_ numbers: [UInt16], copies: Int) -> MemberList {
    MemberList(
      numbers.map { LayoutMember(member: Member($0), name: "node\($0)", disk: DiskID(high: 0, low: UInt64($0))) },
      copies: copies)
  }

  private func layout(_ from: [UInt16], copies: Int, to: [UInt16], copies newCopies: Int) -> Layout {
    let ballot = Ballot(counter: 1, member: Member(1))
    return Layout(first: list(from, copies: copies), proposal: ballot)
      .changing(to: list(to, copies: newCopies), proposal: ballot).moving([Self.group], proposal: ballot)
  }

  private func survey(for member: UInt16, _ layout: Layout, slot: Slot = Slot(number: group << 8)) -> GroupSurvey {
    GroupSurvey(of: Self.group, for: Member(member), layout) { _ in slot }
  }

  private func held(_ name: String, at counter: UInt64) throws -> HeldKey {
    let ballot = Ballot(counter: counter, member: Member(1))
    return HeldKey(
      key: try Key(Array(name.utf8)), ballot: ballot,
      descriptor: Descriptor(
        upload: UploadID(member: Member(1), counter: counter), kind: .value, valueBytes: 1, committedAtNanoseconds: 1,
        checksum: ValueChecksum(high: 0, low: 0)))
  }

  private func questions(_ sources: [UInt16], behind: String? = nil) throws -> GroupSurvey.Step {
    let key = try behind.map { try Key(Array($0.utf8)) }
    return .ask(sources.map { GroupSurvey.Question(source: Member($0), behind: key) })
  }

  private func decided(_ held: HeldKey, _ holders: [UInt16]) -> GroupSurvey.Finding {
    .decided(held, holders: holders.map { Member($0) })
  }

  @Test func whatMostHoldIsDecidedAndTheRestIsSettled() throws {
    var survey = survey(for: 4, layout([1, 2, 3], copies: 3, to: [4, 2, 3], copies: 3))
    #expect(survey.next() == (try questions([1, 2, 3])))
    let (same, old, new, alone) = (
      try held("a", at: 5), try held("b", at: 5), try held("b", at: 6), try held("c", at: 5)
    )
    survey.take([same, old, alone], isLast: true, from: Member(1))
    survey.take([new], isLast: true, from: Member(2))
    survey.take([same], isLast: true, from: Member(3))
    // The third has nothing of b: no two hold the same. Of c most hold nothing, which is what is decided.
    #expect(survey.next() == .take([decided(same, [1, 3]), .unsettled(old.key)]))
    #expect(survey.next() == .finished)
  }

  /// What an owner does not list is absent only up to the last key of its page.
  @Test func aPageSaysNothingOfWhatIsBehindIt() throws {
    var survey = survey(for: 4, layout([1, 2, 3], copies: 3, to: [4, 2, 3], copies: 3))
    _ = survey.next()
    let (first, second) = (try held("a", at: 5), try held("b", at: 5))
    survey.take([first], isLast: false, from: Member(1))
    survey.take([first, second], isLast: true, from: Member(2))
    survey.take([], isLast: true, from: Member(3))
    #expect(survey.next() == .take([decided(first, [1, 2])]))
    #expect(survey.next() == (try questions([1], behind: "a")))
    survey.take([second], isLast: true, from: Member(1))
    #expect(survey.next() == .take([decided(second, [1, 2])]))
    #expect(survey.next() == .finished)
  }

  @Test func onePresentOwnerMayBeSilentAndTwoMayNot() throws {
    var survey = survey(for: 4, layout([1, 2, 3], copies: 3, to: [4, 2, 3], copies: 3))
    _ = survey.next()
    let key = try held("a", at: 5)
    survey.fall(silent: Member(1))
    survey.take([key], isLast: true, from: Member(2))
    survey.take([], isLast: true, from: Member(3))
    #expect(survey.next() == .take([.unsettled(key.key)]))
    survey.fall(silent: Member(3))
    #expect(survey.next() == .stuck([Member(1), Member(3)]))
  }

  /// A page of nothing that is not the last would go on for ever.
  @Test func anEmptyPageThatIsNotTheLastIsNoAnswer() {
    var survey = survey(for: 2, layout([1], copies: 1, to: [2], copies: 1))
    _ = survey.next()
    survey.take([], isLast: false, from: Member(1))
    #expect(survey.next() == .stuck([Member(1)]))
  }

  /// An owner that stays may have missed what the others have decided.
  @Test func whoStaysAnOwnerGoesThroughItToo() throws {
    var survey = survey(for: 1, layout([1, 2, 3], copies: 3, to: [1, 2, 3], copies: 1), slot: Slot(number: 0x0700))
    #expect(survey.next() == (try questions([1, 2, 3])))
    let key = try held("a", at: 5)
    survey.take([], isLast: true, from: Member(1))
    survey.take([key], isLast: true, from: Member(2))
    survey.take([key], isLast: true, from: Member(3))
    #expect(survey.next() == .take([decided(key, [2, 3])]))
  }

  /// The same owners; the only one there was; and none of those to be.
  @Test(
    arguments: [
      (1, [1, 2, 3], 3, [3, 1, 2], 3), (1, [1], 1, [1, 2, 3], 3), (1, [1, 2], 1, [2, 3], 1),
    ] as [(UInt16, [UInt16], Int, [UInt16], Int)])
  func whereThereIsNothingToFindOutNobodyIsAsked(
    member: UInt16, from: [UInt16], copies: Int, to: [UInt16], newCopies: Int
  ) {
    var survey = survey(for: member, layout(from, copies: copies, to: to, copies: newCopies))
    #expect(survey.next() == .finished)
  }

  /// What lies on the disk of one that does not own the slot was left behind by another list.
  @Test func onlyOwnersCount() throws {
    // By ranges, the slots of group 0x55 are the first's and the second's.
    let ballot = Ballot(counter: 1, member: Member(1))
    let layout = Layout(first: list([1, 2], copies: 1), proposal: ballot)
      .changing(to: list([3], copies: 1), proposal: ballot).moving([0x80], proposal: ballot)
    var survey = GroupSurvey(of: 0x80, for: Member(3), layout) { _ in Slot(number: 0x8000) }
    #expect(survey.next() == (try questions([1, 2])))
    let (own, stray) = (try held("a", at: 5), try held("b", at: 9))
    survey.take([own], isLast: true, from: Member(1))
    survey.take([stray], isLast: true, from: Member(2))
    #expect(survey.next() == .take([decided(own, [1])]))
    #expect(survey.next() == .finished)
  }

  /// What was on a disk that is given up nobody waits for.
  @Test func theOnlyCopyMayBeGone() {
    let ballot = Ballot(counter: 1, member: Member(1))
    let layout = layout([1], copies: 1, to: [2], copies: 1).losing([Member(1)], proposal: ballot)
    var survey = survey(for: 2, layout)
    #expect(survey.next() == .finished)
  }
}
