import KVCore
import Testing

@testable import KVCluster

/// Hosts a, b, c, … with disks 1, 2, 3, …
private enum Hosts {
  static let cluster = ClusterID(high: 7, low: 8)

  static func disk(_ name: Character) -> DiskID { DiskID(high: 0, low: UInt64(name.asciiValue ?? 0) - 96) }

  static func names(_ text: String) -> [String] { text.map { String($0) } }

  static func list(_ text: String) -> MemberList {
    MemberList(
      text.map { LayoutMember(member: Member(UInt16(disk($0).low)), name: String($0), disk: disk($0)) }, copies: 1)
  }

  static func hello(
    _ name: Character, wishes: String, in layout: Layout? = nil, values: UInt64? = 0, stranded: UInt64 = 0,
    synced: [SyncedGroup] = []
  ) -> Hello {
    Hello(
      name: String(name), disk: disk(name), cluster: layout?.cluster, version: layout?.version ?? 0,
      wish: Wish(names: names(wishes), copies: 1), valueCount: values, strandedCount: stranded, synced: synced)
  }

  static func layout(_ text: String) -> Layout { Layout(first: list(text), of: cluster, proposal: .none) }
}

private let ballot = Ballot(counter: 9, member: Member(1))

@Suite struct FoundingTests {
  private func plan(_ own: Hello, _ others: [Hello]) -> LayoutPlan { LayoutPlan(known: nil, own: own, heard: others) }

  @Test func theFirstOfTheListProposesItWhenAllAreThere() {
    let hellos = "abc".map { Hosts.hello($0, wishes: "abc") }
    #expect(plan(hellos[0], Array(hellos[1...])).founding == Hosts.list("abc"))
    #expect(plan(hellos[1], [hellos[0], hellos[2]]).founding == nil)
    #expect(plan(hellos[0], Array(hellos[1...])).foundingHosts.map(\.name) == ["a", "b", "c"])
  }

  @Test(
    arguments: [
      ([], "no layout yet: no answer from b, c"),
      ([Hosts.hello("b", wishes: "abc")], "no layout yet: no answer from c"),
      ([Hosts.hello("b", wishes: "abc"), Hosts.hello("c", wishes: "ab")], "no layout yet: c lists other hosts"),
      (
        [Hosts.hello("b", wishes: "abc"), Hosts.hello("c", wishes: "abc", in: Hosts.layout("cd"))],
        "no layout yet: c belongs to a cluster already"
      ),
      (
        [Hosts.hello("b", wishes: "abc"), Hosts.hello("c", wishes: "abc", values: nil)],
        "no layout yet: c still counting values"
      ),
    ])
  func whateverStandsAgainstItIsSaid(others: [Hello], expected: String) {
    let plan = plan(Hosts.hello("a", wishes: "abc"), others)
    #expect(plan.founding == nil)
    #expect(plan.progress == LayoutProgress(text: expected, isWaiting: true))
  }

  @Test func copiesOfOneDataDirectoryAreFoundOut() {
    var twin = Hosts.hello("c", wishes: "abc")
    twin = Hello(name: "c", disk: Hosts.disk("b"), wish: twin.wish)
    let plan = plan(Hosts.hello("a", wishes: "abc"), [Hosts.hello("b", wishes: "abc"), twin])
    #expect(plan.founding == nil)
    #expect(plan.progress?.text == "no layout yet: b and c have copies of one data directory")
  }

  /// What one host stored before it had others is in its charge first, and moves from there.
  @Test func aHostWithValuesBeginsAlone() {
    let plan = plan(
      Hosts.hello("a", wishes: "ab", values: 5, stranded: 3), [Hosts.hello("b", wishes: "ab", values: 0)])
    #expect(plan.founding?.members.map(\.name) == ["a"])
    #expect(plan.foundingHosts.map(\.name) == ["a", "b"])
  }

  @Test func hostsWhoseValuesLieWhereTheListPutsThemBeginTogether() {
    let plan = plan(Hosts.hello("a", wishes: "ab", values: 5), [Hosts.hello("b", wishes: "ab", values: 7)])
    #expect(plan.founding == Hosts.list("ab"))
  }
}

/// Three copies of each value are wished.
@Suite struct PlansOfCopiesTests {
  private let wish = Wish(names: Hosts.names("abc"), copies: 3)

  private func hello(_ name: Character, disk: DiskID? = nil, in layout: Layout? = nil, values: UInt64 = 0) -> Hello {
    Hello(
      name: String(name), disk: disk ?? Hosts.disk(name), cluster: layout?.cluster, version: layout?.version ?? 0,
      wish: wish, valueCount: values)
  }

  /// Each value that is there already is there once: a majority of three would not know of it.
  @Test(arguments: [(0, 3), (5, 1)] as [(UInt64, Int)])
  func valuesThatAreThereBeginWithOneCopy(values: UInt64, copies: Int) {
    let plan = LayoutPlan(known: nil, own: hello("a", values: values), heard: [hello("b"), hello("c")])
    #expect(plan.founding?.copies == copies)
  }

  @Test func aHostThatIsBackWithAnotherDiskIsAChange() {
    let members = Hosts.list("abc").members
    let layout = Layout(first: MemberList(members, copies: 3), of: Hosts.cluster, proposal: .none)
    let disk = DiskID(high: 1, low: 1)
    let heard = [hello("b", disk: disk), hello("c", in: layout)]
    let next = LayoutPlan(known: layout, own: hello("a", in: layout), heard: heard).following(layout, ballot)?.next
    #expect(next?.members.map(\.disk) == [Hosts.disk("a"), disk, Hosts.disk("c")])
    #expect(next?.members.map(\.member.number) == [1, 4, 3])
  }
}

@Suite struct LayoutPlanTests {
  private func plan(
    _ layout: Layout, _ wishes: [Character: String], synced: [Character: [SyncedGroup]] = [:]
  ) -> LayoutPlan {
    let hellos = wishes.sorted { $0.key < $1.key }.map { name, wish in
      Hosts.hello(name, wishes: wish, in: layout, synced: synced[name] ?? [])
    }
    return LayoutPlan(known: layout, own: hellos[0], heard: Array(hellos[1...]))
  }

  @Test func nothingFollowsWhatIsWished() {
    let plan = plan(Hosts.layout("abc"), ["a": "abc", "b": "abc", "c": "abc"])
    #expect(plan.following(Hosts.layout("abc"), ballot) == nil)
    #expect(plan.progress == nil)
  }

  @Test func aListThatMostOfBothWishBeginsAChange() {
    let layout = Hosts.layout("abc")
    let next = plan(layout, ["a": "abcd", "b": "abcd", "c": "abc", "d": "abcd"]).following(layout, ballot)
    #expect(next?.version == 2)
    #expect(next?.current == layout.current)
    #expect(next?.next?.members.map(\.name) == ["a", "b", "c", "d"])
    // The new one gets a number that nobody has had.
    #expect(next?.next?.members.map(\.member.number) == [1, 2, 3, 4])
  }

  @Test(
    arguments: [
      (["a": "ab", "b": "abc", "c": "abc"], "most of a, b, c must list the same hosts"),
      (["a": "abcd", "b": "abcd", "c": "abcd"], "no answer from d"),
      (["a": "adef", "b": "adef", "d": "x", "e": "x", "f": "x"], "most of a, d, e, f must list the same hosts"),
    ] as [([Character: String], String)])
  func whatIsNotWishedEnoughWaits(wishes: [Character: String], obstacle: String) {
    let layout = Hosts.layout("abc")
    let plan = plan(layout, wishes)
    #expect(plan.following(layout, ballot) == nil)
    #expect(
      plan.progress == LayoutProgress(text: "[Peers] differs from the layout in force: \(obstacle)", isWaiting: true))
  }

  @Test func aHostOfAnotherClusterIsNotTakenIn() {
    let layout = Hosts.layout("ab")
    let other = Layout(first: Hosts.list("c"), of: ClusterID(high: 1, low: 1), proposal: .none)
    let plan = LayoutPlan(
      known: layout, own: Hosts.hello("a", wishes: "abc", in: layout),
      heard: [Hosts.hello("b", wishes: "abc", in: layout), Hosts.hello("c", wishes: "abc", in: other)])
    #expect(plan.following(layout, ballot) == nil)
    #expect(plan.progress?.text == "[Peers] differs from the layout in force: c belongs to another cluster")
  }

  @Test func aNewDiskUnderAnOldNameWaitsForSomebodyToDecide() {
    let layout = Hosts.layout("ab")
    let stranger = Hello(name: "b", disk: Hosts.disk("z"), wish: Wish(names: ["a", "b"], copies: 1))
    let plan = LayoutPlan(known: layout, own: Hosts.hello("a", wishes: "ab", in: layout), heard: [stranger])
    #expect(plan.following(layout, ballot) == nil)
    #expect(plan.progress?.isWaiting == true)
    #expect(plan.progress?.text.contains("b has another disk than before") == true)
  }

  @Test func theFirstMemberThatIsThereProposes() {
    let layout = Hosts.layout("abc")
    #expect(plan(layout, ["a": "abc", "b": "abc", "c": "abc"]).isProposer)
    #expect(plan(layout, ["b": "abc", "c": "abc"]).isProposer)
    let hellos = "abc".map { Hosts.hello($0, wishes: "abc", in: layout) }
    #expect(!LayoutPlan(known: layout, own: hellos[1], heard: [hellos[0], hellos[2]]).isProposer)
    #expect(!LayoutPlan(known: layout, own: Hosts.hello("x", wishes: "abc"), heard: []).isProposer)
  }

  /// A whole change, step by step: never more groups move than may, none switches before its new owner has it, and at the
  /// end the new list is in force.
  @Test(arguments: [("abc", "abcd"), ("abcd", "bcd"), ("ab", "ba"), ("a", "abc"), ("abc", "c")])
  func aChangeGoesGroupByGroupToItsEnd(from: String, to: String) throws {
    var layout = Hosts.layout(from)
    let names = Set(from + to)
    let wishes = Dictionary(uniqueKeysWithValues: names.map { ($0, to) })
    var steps = 0
    while let next = plan(layout, wishes).following(layout, ballot) ?? synced(layout, wishes) {
      layout = next
      steps += 1
      try #require(steps < 1000)
      guard let wished = layout.next else { continue }
      let moving = layout.groups.indices.filter { layout.groups[$0].phase == .moving }
      let busy = moving.filter { group in
        LayoutPlan.slots(of: group).contains { layout.current.owners(of: $0) != wished.owners(of: $0) }
      }
      #expect(busy.count <= LayoutPlan.movingMax)
    }
    #expect(layout.next == nil)
    #expect(layout.current.members.map(\.name) == Hosts.names(to))
  }

  /// What follows once all that move have arrived.
  private func synced(_ layout: Layout, _ wishes: [Character: String]) -> Layout? {
    let moving = layout.groups.indices.filter { layout.groups[$0].phase == .moving }
    let groups = moving.map { SyncedGroup(group: UInt8($0), epoch: layout.groups[$0].epoch) }
    let told = Dictionary(uniqueKeysWithValues: wishes.keys.map { ($0, groups) })
    return plan(layout, wishes, synced: told).following(layout, ballot)
  }

  @Test func whatWasSyncedAtAnEarlierEpochDoesNotCount() throws {
    let layout = Hosts.layout("a")
    let changing = layout.changing(to: Hosts.list("b"), proposal: ballot).moving([3], proposal: ballot)
    let stale = SyncedGroup(group: 3, epoch: changing.groups[3].epoch - 1)
    let fresh = SyncedGroup(group: 3, epoch: changing.groups[3].epoch)
    let wishes: [Character: String] = ["a": "b", "b": "b"]
    let before = plan(changing, wishes, synced: ["b": [stale]]).following(changing, ballot)
    #expect(before?.groups[3].phase == .moving)
    let after = plan(changing, wishes, synced: ["b": [fresh]]).following(changing, ballot)
    #expect(after?.groups[3].phase == .new)
    // The old owner's word does not count.
    #expect(plan(changing, wishes, synced: ["a": [fresh]]).following(changing, ballot)?.groups[3].phase == .moving)
  }

  /// The first member may be the one that leaves, or may have missed the new list.
  @Test(arguments: [["a": "abc", "b": "bc", "c": "bc"], ["a": "abc", "b": "abcd", "c": "abcd", "d": "abcd"]])
  func theProposerNeedNotWishWhatMostDo(wishes: [Character: String]) {
    let layout = Hosts.layout("abc")
    let next = plan(layout, wishes).following(layout, ballot)
    #expect(next?.next?.members.map(\.name) == wishes["c"].map(Hosts.names))
  }

  @Test func aChangeIsTakenBackWhereMostWishTheOldListAgain() {
    let layout = Hosts.layout("a")
    let changing = layout.changing(to: Hosts.list("b"), proposal: ballot).moving([3, 4], proposal: ballot)
    let wishes: [Character: String] = ["a": "a", "b": "b"]
    let back = plan(changing, wishes).following(changing, ballot)
    #expect(back?.groups.allSatisfy { $0.phase == .old } == true)
    let end = back.flatMap { plan($0, wishes).following($0, ballot) }
    #expect(end?.next == nil)
    #expect(end?.current == layout.current)
  }

  /// What has arrived stays where it is: the change goes on to its end, and the next one goes back.
  @Test func aChangeOfWhichSomethingHasArrivedGoesOn() {
    let layout = Hosts.layout("a")
    let changing = layout.changing(to: Hosts.list("b"), proposal: ballot).moving([3], proposal: ballot)
      .switching([3], proposal: ballot)
    let next = plan(changing, ["a": "a", "b": "b"]).following(changing, ballot)
    #expect(next?.groups.count { $0.phase == .moving } == LayoutPlan.movingMax)
  }
}

@Suite struct FoundingRoundTests {
  private let layout = Hosts.layout("abc")
  private let disks = "abc".map(Hosts.disk)

  private func promise(_ name: Character, _ accepted: Ballot = .none, _ layout: Layout? = nil) -> LayoutRound.Event {
    .answer(.promised(accepted: accepted, layout), from: Hosts.disk(name))
  }

  private func done(_ name: Character) -> LayoutRound.Event { .answer(.done, from: Hosts.disk(name)) }

  @Test func allMustPromiseAndAllMustAccept() {
    var round = FoundingRound(at: ballot, for: layout, askedOf: disks)
    #expect(round.step(promise("a")) == [])
    #expect(round.step(promise("b")) == [])
    #expect(round.step(promise("b")) == [])
    #expect(round.step(promise("c")) == [.accept(layout)])
    #expect(round.step(done("a")) == [])
    #expect(round.step(done("c")) == [])
    #expect(round.step(done("b")) == [.decided(layout)])
  }

  @Test func whatSomebodyHasAcceptedIsCarriedThrough() {
    let earlier = Layout(first: Hosts.list("ab"), of: Hosts.cluster, proposal: .none)
    var round = FoundingRound(at: ballot, for: layout, askedOf: disks)
    _ = round.step(promise("a"))
    _ = round.step(promise("b", Ballot(counter: 3, member: Member(2)), earlier))
    #expect(round.step(promise("c")) == [.accept(earlier)])
  }

  @Test func aLayoutOfOthersIsLeftToThem() {
    let foreign = Layout(first: Hosts.list("bx"), of: Hosts.cluster, proposal: .none)
    var round = FoundingRound(at: ballot, for: layout, askedOf: disks)
    _ = round.step(promise("a"))
    _ = round.step(promise("b", Ballot(counter: 3, member: Member(2)), foreign))
    #expect(round.step(promise("c")) == [.failed(above: ballot)])
  }

  @Test func whoIsOutbidOrLeftWaitingGivesUp() {
    let higher = Ballot(counter: 99, member: Member(2))
    var round = FoundingRound(at: ballot, for: layout, askedOf: disks)
    #expect(round.step(.answer(.outbid(higher), from: disks[0])) == [.failed(above: higher)])
    #expect(round.step(promise("a")) == [])
    var late = FoundingRound(at: ballot, for: layout, askedOf: disks)
    #expect(late.step(.timedOut) == [.failed(above: ballot)])
  }
}

@Suite struct NodeMessageTests {
  private static let key = Key.vectors
  private static let descriptor = Descriptor(
    upload: UploadID(member: Member(3), counter: 4), kind: .value, valueBytes: 5, committedAtNanoseconds: -6,
    checksum: ValueChecksum(high: 7, low: 8))
  private static let changing = Hosts.layout("abc").changing(to: Hosts.list("abcd"), proposal: ballot)
    .moving([0, 255], proposal: ballot)

  private static let questions: [NodeQuestion] =
    [
      .hello(
        Hello(
          name: "a", disk: Hosts.disk("a"), process: 11, cluster: Hosts.cluster, version: 3,
          wish: Wish(names: ["a", "b"], copies: 1),
          valueCount: nil, strandedCount: 4, synced: [SyncedGroup(group: 255, epoch: .max)],
          addresses: [HostAddress(name: "b", address: "192.0.2.1:7776")])),
      .prepareLayout(ballot), .acceptLayout(ballot, changing), .learnLayout(Hosts.layout("a")),
      .held(HeldQuestion(version: 1, epoch: 2, group: 3, behind: nil, member: Member(4))),
      .held(HeldQuestion(version: 1, epoch: 2, group: 3, behind: key, member: Member(4))),
    ] + requests.map { .register(RegisterQuestion(version: 1, epoch: 2, key: key, request: $0, source: Member(9))) }

  private static let requests: [RegisterRequest] = [
    .read, .prepare(ballot), .accept(ballot, descriptor), .learn(ballot, descriptor), .purge(ballot),
  ]

  private static let answers: [NodeAnswer] = [
    .hello(Hosts.hello("a", wishes: "ab"), nil), .hello(Hosts.hello("a", wishes: "ab"), changing),
    .layout(.done, Hosts.disk("a")), .layout(.outbid(ballot), Hosts.disk("a")),
    .layout(.promised(accepted: ballot, changing), Hosts.disk("a")), .noted, .otherLayout(5),
    .held([HeldKey(key: key, ballot: ballot, descriptor: descriptor)], isLast: true),
    .register(.done, Member(2)), .register(.lacksBytes, Member(2)), .register(.unable, Member(2)),
    .register(.outbid(highest: ballot, accepted: .none), Member(2)),
    .register(.promised(Testimony(held: nil, floor: ballot)), Member(2)),
    .register(
      .holds(Testimony(held: Held(ballot: ballot, descriptor: descriptor, hasBytes: false), floor: .none)), Member(2)),
  ]

  @Test(arguments: questions) func aQuestionIsReadAsItWasWritten(question: NodeQuestion) throws {
    #expect(try NodeQuestion(question.bytes) == question)
  }

  @Test(arguments: answers) func anAnswerIsReadAsItWasWritten(answer: NodeAnswer) throws {
    #expect(try NodeAnswer(answer.bytes) == answer)
  }

  /// What is cut off, or goes on, is no message; and no byte of it makes the reader stumble.
  @Test(arguments: questions) func whatIsNotWholeIsRefused(question: NodeQuestion) {
    let bytes = question.bytes
    #expect(throws: ByteReader.Malformed.self) { try NodeQuestion(bytes + [0]) }
    for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 50)) {
      #expect(throws: ByteReader.Malformed.self) { try NodeQuestion(Array(bytes[..<count])) }
    }
  }

  @Test func aLayoutOfManyHostsFitsIntoAMessage() {
    let members = (1...Layout.membersMax).map { number in
      LayoutMember(
        member: Member(UInt16(number)), name: String(repeating: "n", count: 58) + "\(number)",
        disk: DiskID(high: 1, low: UInt64(number)))
    }
    let list = MemberList(members, copies: 1)
    let layout = Layout(first: list, of: Hosts.cluster, proposal: .none).changing(to: list, proposal: ballot)
    #expect(NodeQuestion.acceptLayout(ballot, layout).bytes.count <= NodeQuestion.writtenBytesMax)
  }

  /// Copies, and the numbers of the members.
  @Test(arguments: [(3, [1, 2]), (0, [1, 2]), (1, [1, 1]), (1, []), (0, [])] as [(UInt8, [UInt16])])
  func aListThatCannotBeIsRefused(copies: UInt8, numbers: [UInt16]) {
    var writer = ByteWriter()
    writer.write(copies)
    writer.write(numbers) { writer, number in
      writer.write(number)
      writer.write("host\(number)")
      writer.write(UInt64(0))
      writer.write(UInt64(number))
    }
    #expect(throws: ByteReader.Malformed("a list of members that cannot be")) {
      var reader = ByteReader(writer.bytes)
      _ = try MemberList(reading: &reader)
    }
  }
}

@Suite struct HostileMessageTests {
  /// Counting on from it would overflow.
  @Test(arguments: [UInt64.max, (1 << 62) + 1] as [UInt64]) func aNumberThatNobodyHasCountedToIsRefused(counter: UInt64)
  {
    var writer = ByteWriter()
    writer.write(UInt8(2))
    writer.write(Ballot(counter: counter, member: Member(1)))
    #expect(throws: ByteReader.Malformed.self) { try NodeQuestion(writer.bytes) }
  }

  /// It would stand in log lines and on terminals.
  @Test(arguments: ["", "a\nb", "a b", "\u{1b}[31m", String(repeating: "n", count: 65)])
  func aNameThatIsNoHostsIsRefused(name: String) {
    let hello = Hello(name: name, disk: Hosts.disk("a"), wish: Wish(names: [], copies: 1))
    #expect(throws: ByteReader.Malformed.self) { try NodeQuestion(NodeQuestion.hello(hello).bytes) }
    let wish = Hello(name: "a", disk: Hosts.disk("a"), wish: Wish(names: [name], copies: 1))
    #expect(throws: ByteReader.Malformed.self) { try NodeQuestion(NodeQuestion.hello(wish).bytes) }
  }
}

extension Key {
  fileprivate static var vectors: Key { (try? Key(Array("a key".utf8))) ?? { preconditionFailure("it is a key") }() }
}
