import KVCore
import KVLinux
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
      wish: Wish(names: names(wishes)), valueCount: values, strandedCount: stranded, synced: synced)
  }

  static func layout(_ text: String) -> Layout { Layout(first: list(text), of: cluster, proposal: .none) }
}

extension Wish {
  /// Of hosts in order, by ranges.
  init(names: [String]) { self.init(hosts: names.map { WishedHost(name: $0) }, copies: 1, rule: .ranges) }
}

private let ballot = Ballot(counter: 9, member: Member(1))

@Suite struct FoundingTests {
  private func plan(_ own: Hello, _ others: [Hello], older: Set<String> = []) -> LayoutPlan {
    LayoutPlan(known: nil, own: own, heard: others, older: older, digest: MD5.digest)
  }

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

  @Test(
    arguments: [
      ("c", "b", "c is of an older version that knows none; until it is upgraded, all hosts go by their lists"),
      ("bc", "", "b, c are of an older version that knows none; until they are upgraded, all hosts go by their lists"),
      (
        "b", "",
        "no answer from c; b is of an older version that knows none; until it is upgraded, all hosts go by their lists"
      ),
      // It has been upgraded meanwhile.
      ("b", "b", "no answer from c"),
    ])
  func aHostThatKnowsNoLayoutIsNotTakenForOneThatDoesNotAnswer(older: String, heard: String, expected: String) {
    let plan = plan(
      Hosts.hello("a", wishes: "abc"), heard.map { Hosts.hello($0, wishes: "abc") },
      older: Set(Hosts.names(older)))
    #expect(plan.founding == nil)
    #expect(plan.progress == LayoutProgress(text: "no layout yet: \(expected)", isWaiting: true))
  }

  /// What each of the two hosts is beside, and does not list.
  @Test(
    arguments: [
      (["c"], ["c"], "c, which is listed no more, may hold values: list it again until there is a layout"),
      ([], ["c"], "c, which is listed no more, may hold values: list it again until there is a layout"),
      (
        ["d", "c"], ["e"], "c, d, e, which are listed no more, may hold values: list them again until there is a layout"
      ),
    ] as [([String], [String], String)])
  func noHostIsLeftOutThatHasAnsweredForKeysByALongerList(own: [String], other: [String], expected: String) {
    var hellos = "ab".map { Hosts.hello($0, wishes: "ab", values: 1) }
    (hellos[0].unlisted, hellos[1].unlisted) = (own, other)
    let left = plan(hellos[0], [hellos[1]])
    #expect(left.founding == nil)
    #expect(left.progress == LayoutProgress(text: "no layout yet: \(expected)", isWaiting: true))
  }

  /// Who missed it has only not been heard of since.
  @Test func aHostThatIsListedAgainIsNotMissed() {
    var hellos = "abc".map { Hosts.hello($0, wishes: "abc", values: 1) }
    hellos[1].unlisted = ["c"]
    #expect(plan(hellos[0], Array(hellos[1...])).founding == Hosts.list("abc"))
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

@Suite struct CompanionsTests {
  private func peers(_ names: String) throws -> [Peer] {
    try names.map { Peer(name: String($0), address: try PeerAddress(parsing: "\($0).example")) }
  }

  /// Of a list a, b, c, whose own host is a.
  @Test(
    arguments: [
      ([], "b", "b"), ([], "", ""), ([], "abd", "b"),
      ([Hosts.hello("b", wishes: "abc", values: 1)], "c", "bc"),
      ([Hosts.hello("b", wishes: "abc"), Hosts.hello("c", wishes: "abc", values: nil)], "", ""),
      ([Hosts.hello("b", wishes: "bc", in: Hosts.layout("bc"), values: 1)], "", ""),
      ([Hosts.hello("a", wishes: "abc", values: 1), Hosts.hello("d", wishes: "abcd", values: 1)], "", ""),
    ] as [([Hello], String, String)])
  func whoHasAnsweredAndMayHoldValuesIsRemembered(heard: [Hello], older: String, expected: String) throws {
    let list = try peers("abc")
    var companions = Companions()
    let missing = companions.missing(from: list, own: "a", heard: heard, older: Set(Hosts.names(older)))
    #expect(missing == (try peers(expected)))
    companions.remember(missing)
    #expect(companions.missing(from: list, own: "a", heard: heard, older: Set(Hosts.names(older))) == [])
  }

  @Test func whoIsListedNoMoreIsNamed() throws {
    let companions = Companions(try peers("bc"))
    #expect(companions.unlisted(in: try peers("abc")) == [])
    #expect(companions.unlisted(in: try peers("ab")) == ["c"])
    #expect(companions.unlisted(in: []) == ["b", "c"])
  }
}

/// Three copies of each value are wished.
@Suite struct PlansOfCopiesTests {
  private let wish = Wish(hosts: Hosts.names("abc").map { WishedHost(name: $0) }, copies: 3, rule: .ranges)

  private func hello(_ name: Character, disk: DiskID? = nil, in layout: Layout? = nil, values: UInt64 = 0) -> Hello {
    Hello(
      name: String(name), disk: disk ?? Hosts.disk(name), cluster: layout?.cluster, version: layout?.version ?? 0,
      wish: wish, valueCount: values)
  }

  /// Each value that is there already is there once: a majority of three would not know of it.
  @Test(arguments: [(0, 3), (5, 1)] as [(UInt64, Int)])
  func valuesThatAreThereBeginWithOneCopy(values: UInt64, copies: Int) {
    let plan = LayoutPlan(
      known: nil, own: hello("a", values: values), heard: [hello("b"), hello("c")], digest: MD5.digest)
    #expect(plan.founding?.copies == copies)
  }

  @Test func aHostThatIsBackWithAnotherDiskIsAChange() {
    let members = Hosts.list("abc").members
    let layout = Layout(first: MemberList(members, copies: 3), of: Hosts.cluster, proposal: .none)
    let disk = DiskID(high: 1, low: 1)
    let heard = [hello("b", disk: disk), hello("c", in: layout)]
    let next = LayoutPlan(known: layout, own: hello("a", in: layout), heard: heard, digest: MD5.digest)
      .following(layout, ballot)?.next
    #expect(next?.members.map(\.disk) == [Hosts.disk("a"), disk, Hosts.disk("c")])
    #expect(next?.members.map(\.member.number) == [1, 4, 3])
  }

  /// Host b has a new disk, of which all groups are under way.
  private func refilling() throws -> (layout: Layout, disk: DiskID) {
    let members = Hosts.list("abc").members
    let layout = Layout(first: MemberList(members, copies: 3), of: Hosts.cluster, proposal: .none)
    let disk = DiskID(high: 1, low: 1)
    let heard = [hello("b", disk: disk), hello("c", in: layout)]
    let next = LayoutPlan(known: layout, own: hello("a", in: layout), heard: heard, digest: MD5.digest)
      .following(layout, ballot)
    return (try #require(next).moving([0, 1], proposal: ballot), disk)
  }

  private func synced(_ hello: Hello, _ layout: Layout, _ groups: [UInt8]) -> Hello {
    var hello = hello
    hello.synced = groups.map { SyncedGroup(group: $0, epoch: layout.version) }
    return hello
  }

  /// Most owners have all of group 0, and all have all of group 1. The new disk is waited for while its host is there, and
  /// for a while afterwards.
  @Test(
    arguments: [
      (true, false, [.moving, .new]), (false, false, [.moving, .moving]), (false, true, [.new, .new]),
    ] as [(Bool, Bool, [GroupState.Phase])])
  func aGroupWaitsForAllNewOwnersThatAreThere(isThere: Bool, isGone: Bool, phases: [GroupState.Phase]) throws {
    let (layout, disk) = try refilling()
    let own = synced(hello("a", in: layout), layout, [0, 1])
    var heard = [synced(hello("c", in: layout), layout, [0, 1])]
    if isThere { heard.append(synced(hello("b", disk: disk, in: layout), layout, [1])) }
    let following = LayoutPlan(
      known: layout, own: own, heard: heard, gone: isGone ? [disk, Hosts.disk("b")] : [], digest: MD5.digest
    ).following(layout, ballot)
    #expect((following ?? layout).groups[0...1].map(\.phase) == phases)
  }

  @Test func aNewDiskIsToldOf() throws {
    let (layout, disk) = try refilling()
    let heard = [hello("b", disk: disk, in: layout), hello("c", in: layout)]
    let plan = LayoutPlan(known: layout, own: hello("a", in: layout), heard: heard, gone: [], digest: MD5.digest)
    #expect(
      plan.progress
        == LayoutProgress(text: "b has a new disk: copies are being made, 0 of 256 groups", isWaiting: false))
  }

  /// Somebody who is gone for long keeps nobody from going on.
  @Test(
    arguments: [([], "waiting for b", true), (["b"], "without b for now", false)] as [([String], String, Bool)])
  func aHostThatIsNotThereIsToldOf(gone: [String], words: String, isWaiting: Bool) throws {
    let (layout, disk) = try refilling()
    let plan = LayoutPlan(
      known: layout, own: hello("a", in: layout), heard: [hello("c", in: layout)],
      gone: gone.isEmpty ? [] : [disk, Hosts.disk("b")], digest: MD5.digest)
    #expect(
      plan.progress
        == LayoutProgress(
          text: "b has a new disk: copies are being made, 0 of 256 groups, \(words)", isWaiting: isWaiting))
  }

  @Test func moreCopiesAreToldOf() {
    let layout = Hosts.layout("abc").changing(
      to: MemberList(Hosts.list("abc").members, copies: 3), proposal: ballot)
    let plan = LayoutPlan(
      known: layout, own: hello("a", in: layout), heard: [hello("b", in: layout), hello("c", in: layout)],
      digest: MD5.digest)
    #expect(plan.progress?.text == "going from 1 copy of each value to 3: 0 of 256 groups")
  }

  /// A disk that begins with nothing would count as one that has taken part in all that was decided.
  @Test func noDiskStandsInForAnotherWhereThereAreCopies() {
    let members = Hosts.list("abc").members
    let layout = Layout(first: MemberList(members, copies: 3), of: Hosts.cluster, proposal: .none)
      .losing([Member(2)], proposal: ballot)
    let heard = [hello("b", disk: DiskID(high: 1, low: 1)), hello("c", in: layout)]
    let following = LayoutPlan(known: layout, own: hello("a", in: layout), heard: heard, digest: MD5.digest)
      .following(layout, ballot)
    #expect(following?.current == layout.current)
    #expect(following?.next?.members.map(\.member.number) == [1, 4, 3])
  }

  @Test func nobodyIsGivenUpWhereThereAreCopies() {
    let layout = Layout(
      first: MemberList(Hosts.list("abc").members, copies: 3), of: Hosts.cluster, proposal: .none)
    #expect(throws: LayoutOrder.Void(LayoutOrder.noLossOfCopies)) {
      try LayoutOrder.givingUp(["b"], of: layout, heard: [], own: hello("a", in: layout))
    }
  }

  /// Each copy counts: what stays with one host, what the others get.
  @Test func aForecastCountsCopies() {
    var forecast = MoveForecast(from: Hosts.layout("abc"), to: wish, digest: MD5.digest)
    forecast.add(Slot(number: 1), byteCount: 10)
    #expect(forecast.hasCopies && forecast.all.values == 1)
    #expect(forecast.moved.values == 2 && forecast.moved.bytes == 20)
    #expect(forecast.hosts["a"]?.before.values == 1 && forecast.hosts["a"]?.leaving.values == 0)
    #expect(forecast.hosts["b"]?.arriving.bytes == 10 && forecast.hosts["c"]?.arriving.bytes == 10)
  }
}

@Suite struct LayoutPlanTests {
  private func plan(
    _ layout: Layout, _ wishes: [Character: String], synced: [Character: [SyncedGroup]] = [:]
  ) -> LayoutPlan {
    let hellos = wishes.sorted { $0.key < $1.key }.map { name, wish in
      Hosts.hello(name, wishes: wish, in: layout, synced: synced[name] ?? [])
    }
    return LayoutPlan(known: layout, own: hellos[0], heard: Array(hellos[1...]), digest: MD5.digest)
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
      heard: [Hosts.hello("b", wishes: "abc", in: layout), Hosts.hello("c", wishes: "abc", in: other)],
      digest: MD5.digest)
    #expect(plan.following(layout, ballot) == nil)
    #expect(plan.progress?.text == "[Peers] differs from the layout in force: c belongs to another cluster")
  }

  @Test func aNewDiskUnderAnOldNameWaitsForSomebodyToDecide() {
    let layout = Hosts.layout("ab")
    let stranger = Hello(name: "b", disk: Hosts.disk("z"), wish: Wish(names: ["a", "b"]))
    let plan = LayoutPlan(
      known: layout, own: Hosts.hello("a", wishes: "ab", in: layout), heard: [stranger], digest: MD5.digest)
    #expect(plan.following(layout, ballot) == nil)
    #expect(plan.progress?.isWaiting == true)
    #expect(plan.progress?.text.contains("b has another disk than before") == true)
  }

  @Test func theFirstMemberThatIsThereProposes() {
    let layout = Hosts.layout("abc")
    #expect(plan(layout, ["a": "abc", "b": "abc", "c": "abc"]).isProposer)
    #expect(plan(layout, ["b": "abc", "c": "abc"]).isProposer)
    let hellos = "abc".map { Hosts.hello($0, wishes: "abc", in: layout) }
    #expect(!LayoutPlan(known: layout, own: hellos[1], heard: [hellos[0], hellos[2]], digest: MD5.digest).isProposer)
    #expect(!LayoutPlan(known: layout, own: Hosts.hello("x", wishes: "abc"), heard: [], digest: MD5.digest).isProposer)
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
    let wishes: [Character: String] = ["a": "a", "b": "a"]
    // The hosts of one list cannot turn round alone what the other's want.
    #expect(plan(changing, ["a": "a", "b": "b"]).following(changing, ballot)?.next == changing.next)
    let back = plan(changing, wishes).following(changing, ballot)
    #expect(back?.next == layout.current)
    let end = back.flatMap { plan($0, wishes).following($0, ballot) }
    #expect(end?.next == nil)
    #expect(end?.current == layout.current)
  }

  /// What has arrived goes back group by group, as it came, and nobody else's say changes.
  @Test func whatHasArrivedGoesBackGroupByGroup() throws {
    let layout = Hosts.layout("a")
    let changing = layout.changing(to: Hosts.list("b"), proposal: ballot).moving([3, 4], proposal: ballot)
      .switching([3], proposal: ballot)
    let wishes: [Character: String] = ["a": "a", "b": "a"]
    var back = try #require(plan(changing, wishes).following(changing, ballot))
    #expect(back.current.members.map(\.name) == ["b"])
    #expect(back.next?.members.map(\.name) == ["a"])
    for group in [3, 5] {
      let slot = Slot(number: group << 8)
      #expect(back.view(of: slot) == changing.view(of: slot))
      #expect(back.keeps(slot, at: Member(1), since: changing) == (group == 5))
      #expect(back.keeps(slot, at: Member(2), since: changing) == (group == 3))
    }
    var steps = 0
    while back.next != nil {
      back = try #require(
        plan(back, wishes).following(back, ballot) ?? synced(back, wishes))
      steps += 1
      try #require(steps < 10)
    }
    #expect(back.current == layout.current)
  }

  @Test func whatWasCalledOffBeginsAgainOnlyOnceSomethingElseWasWished() throws {
    let layout = Hosts.layout("ab")
    let changing = layout.changing(to: Hosts.list("abc"), proposal: ballot)
    let refused = try #require(changing.next?.wish)
    var back = changing.reversing(refusing: refused, proposal: ballot)
    let still: [Character: String] = ["a": "abc", "b": "abc", "c": "abc"]
    back = try #require(plan(back, still).following(back, ballot))
    #expect(back.next == nil)
    #expect(back.current == layout.current)
    #expect(plan(back, still).following(back, ballot) == nil)
    #expect(
      plan(back, still).progress
        == LayoutProgress(text: "the change that [Peers] asks for was called off: edit it", isWaiting: true))
    #expect(plan(back, ["a": "ab", "b": "abc"]).following(back, ballot) == nil)
    let free = try #require(plan(back, ["a": "ab", "b": "ab"]).following(back, ballot))
    #expect(free.refused == nil)
    #expect(plan(free, still).following(free, ballot)?.next?.members.count == 3)
    let other = ["a": "abd", "b": "abd", "d": "abd"] as [Character: String]
    #expect(plan(back, other).following(back, ballot)?.refused == nil)
  }
}

@Suite struct LossTests {
  private func plan(_ layout: Layout, _ hellos: [Hello]) -> LayoutPlan {
    LayoutPlan(known: layout, own: hellos[0], heard: Array(hellos[1...]), digest: MD5.digest)
  }

  /// Of two hosts one is gone: the other cannot decide anything, until it is given up.
  @Test func aHostThatIsGivenUpNeedNotAgree() throws {
    let layout = Hosts.layout("ab")
    let alone = [Hosts.hello("a", wishes: "a", in: layout)]
    #expect(plan(layout, alone).following(layout, ballot) == nil)
    #expect(!layout.isQuorum([Hosts.disk("a")]))
    let forced = layout.losing([Member(2)], proposal: ballot)
    #expect(forced.isQuorum([Hosts.disk("a")]))
    #expect(forced.isAgreed([Hosts.disk("a")]))
    #expect(!forced.isQuorum([Hosts.disk("b")]))
    #expect(forced.version > Layout.forcedVersions)
    let next = try #require(plan(forced, alone).following(forced, ballot))
    #expect(next.next?.members.map(\.name) == ["a"])
    #expect(next.lost == [Member(2)])
  }

  /// Nothing is left of it once the layout does not name it any more.
  @Test func whoIsGoneFromTheLayoutIsNoMoreLost() {
    let all = Array(0..<Layout.groupCount)
    let end = Hosts.layout("ab").losing([Member(2)], proposal: ballot).changing(to: Hosts.list("a"), proposal: ballot)
      .moving(all, proposal: ballot).switching(all, proposal: ballot).finished(proposal: ballot)
    #expect(end.lost == [Member(2)])
    #expect(end.isAgreed([Hosts.disk("a")]))
    #expect(end.changing(to: Hosts.list("ac"), proposal: ballot).lost == [])
  }

  @Test func aNewDiskUnderTheNameOfOneThatIsGivenUpTakesItsPlace() throws {
    let layout = Hosts.layout("ab")
    let stranger = Hello(name: "b", disk: Hosts.disk("z"), wish: Wish(names: ["a", "b"]))
    let hellos = [Hosts.hello("a", wishes: "ab", in: layout), stranger]
    #expect(plan(layout, hellos).progress?.text.contains("kvctl layout force --accept-loss b") == true)
    let forced = layout.losing([Member(2)], proposal: ballot)
    let next = try #require(plan(forced, hellos).following(forced, ballot))
    #expect(next.next == nil)
    #expect(next.current.members.map(\.disk) == [Hosts.disk("a"), Hosts.disk("z")])
    #expect(next.current.members.map(\.member.number) == [1, 3])
    // The other need not wait for the one that is gone, and keeps what it has; the new disk begins with nothing.
    #expect(next.isQuorum([Hosts.disk("a"), Hosts.disk("z")]) && next.isAgreed([Hosts.disk("a")]))
    for slot in [Slot(number: 5), Slot(number: 60_000)] {
      let owner = next.view(of: slot).owners[0]
      #expect(next.keeps(slot, at: owner, since: layout) == (owner == Member(1)))
      #expect(next.view(of: slot).epoch == next.version)
    }
    #expect(plan(next, hellos).following(next, ballot) == nil)
    #expect(next.changing(to: Hosts.list("a"), proposal: ballot).lost == [])
  }

  /// Also while values move, in whichever list it is; otherwise such a change could not end.
  @Test func aChangeGoesOnWithTheNewDiskOfAHostThatWasGivenUp() throws {
    let changing = Hosts.layout("ab").changing(to: Hosts.list("abc"), proposal: ballot).moving(
      [200, 201], proposal: ballot
    )
    .switching([200], proposal: ballot).losing([Member(3)], proposal: ballot)
    let waiting = plan(
      changing, [Hosts.hello("a", wishes: "abc", in: changing), Hosts.hello("b", wishes: "abc", in: changing)])
    #expect(waiting.progress?.isWaiting == true)
    #expect(waiting.progress?.text.hasPrefix("c was given up while values moved to it") == true)
    let stranger = Hello(name: "c", disk: Hosts.disk("z"), wish: Wish(names: ["a", "b", "c"]))
    let hellos = [
      Hosts.hello("a", wishes: "abc", in: changing), Hosts.hello("b", wishes: "abc", in: changing), stranger,
    ]
    let next = try #require(plan(changing, hellos).following(changing, ballot))
    #expect(next.next?.members.map(\.disk) == [Hosts.disk("a"), Hosts.disk("b"), Hosts.disk("z")])
    #expect(next.groups.map(\.phase) == changing.groups.map(\.phase))
    #expect(next.groups.allSatisfy { $0.epoch == next.version })
  }

  /// What has been copied from a disk that is lost is the last copy: it arrives before an empty disk takes the lost one's
  /// place, with which its new owner would have to begin anew.
  @Test func whatComesFromALostDiskArrivesBeforeAnotherStandsInForIt() throws {
    let changing = Hosts.layout("ab").changing(to: Hosts.list("a"), proposal: ballot).moving([200], proposal: ballot)
      .losing([Member(2)], proposal: ballot)
    let stranger = Hello(name: "b", disk: Hosts.disk("z"), wish: Wish(names: ["a"]))
    func following(_ layout: Layout, synced: [SyncedGroup] = []) -> Layout? {
      plan(layout, [Hosts.hello("a", wishes: "a", in: layout, synced: synced), stranger]).following(layout, ballot)
    }
    #expect(following(changing)?.groups[200].phase == .moving)
    #expect(following(changing)?.member(of: Hosts.disk("z")) == nil)
    let synced = [SyncedGroup(group: 200, epoch: changing.groups[200].epoch)]
    let next = try #require(following(changing, synced: synced))
    #expect(next.groups[200].phase == .new)
    // Nothing moves from it at this moment.
    #expect(following(next)?.member(of: Hosts.disk("z")) == Member(3))
  }

  /// Nobody goes to where somebody was given up; and who has gone there can turn round.
  @Test func aChangeLeadsAwayFromWhoWasGivenUp() throws {
    let lost = Hosts.layout("abc").losing([Member(3)], proposal: ballot)
    let away = lost.changing(to: Hosts.list("ab"), proposal: ballot)
    #expect(throws: LayoutOrder.Void.self) { try LayoutOrder.callingOff(away) }
    let hellos = [Hosts.hello("a", wishes: "abc", in: away), Hosts.hello("b", wishes: "abc", in: away)]
    #expect(plan(away, hellos).following(away, ballot)?.next == away.next)
    let back = Hosts.layout("abc").changing(to: Hosts.list("ab"), proposal: ballot)
      .reversing(refusing: Hosts.list("ab").wish, proposal: ballot).losing([Member(3)], proposal: ballot)
    #expect(try LayoutOrder.callingOff(back) == .callOff(Hosts.list("abc").wish))
  }

  /// A change does not end before all that are there have asked about what lies on their disks.
  @Test(arguments: [true, false]) func aChangeEndsOnceAllHaveLookedThrough(isSwept: Bool) {
    let all = Array(0..<Layout.groupCount)
    let arrived = Hosts.layout("ab").changing(to: Hosts.list("a"), proposal: ballot).moving(all, proposal: ballot)
      .switching(all, proposal: ballot)
    var other = Hosts.hello("b", wishes: "a", in: arrived)
    other.isSwept = isSwept
    let own = Hosts.hello("a", wishes: "a", in: arrived)
    #expect((plan(arrived, [own, other]).following(arrived, ballot) != nil) == isSwept)
    // Who is not there is not waited for.
    #expect(plan(arrived, [own]).following(arrived, ballot) != nil)
  }

  /// What it has may be old by then.
  @Test func whoIsGivenUpAndComesBackIsNotTakenInAsItIs() {
    let layout = Hosts.layout("ab").losing([Member(2)], proposal: ballot)
    let plan = plan(layout, [Hosts.hello("a", wishes: "ab", in: layout), Hosts.hello("b", wishes: "ab", in: layout)])
    #expect(plan.following(layout, ballot) == nil)
    #expect(
      plan.progress?.text.hasSuffix("b was given up: take it out of [Peers], or start it with an empty data directory")
        == true)
  }

  /// Whoever forces one round after another, or after others, brings nothing about that has the version of something else.
  @Test func noTwoForcedLayoutsAreOfOneVersion() {
    let layout = Hosts.layout("abcde")
    let once = layout.losing([Member(3)], proposal: Ballot(counter: 9, member: Member(2)))
    let again = layout.losing([Member(3)], proposal: Ballot(counter: 10, member: Member(2)))
    let twice = layout.losing([Member(4), Member(5)], proposal: Ballot(counter: 7, member: Member(1)))
      .losing([Member(3)], proposal: Ballot(counter: 8, member: Member(1)))
    let others = layout.losing([Member(1), Member(2)], proposal: Ballot(counter: 9, member: Member(3)))
    #expect(Set([once, again, twice, others].map(\.version)).count == 4)
  }

  /// What one of those that are left has accepted may be about to be decided otherwise by those who are given up, who need
  /// nobody else. So it is not decided without them.
  @Test(arguments: [true, false]) func aForcedRoundOverridesWhatTheLostMayDecideOtherwise(isForced: Bool) throws {
    let layout = Hosts.layout("abc").changing(to: Hosts.list("ab"), proposal: .none)
    let lost: Set<Member> = [Member(2), Member(3)]
    let later = Ballot(counter: ballot.counter + 1, member: ballot.member)
    let found =
      isForced ? layout.losing(lost, proposal: ballot) : layout.moving([7], proposal: ballot)
    var round = LayoutRound(at: later, from: layout, without: lost) { _, _ in nil }
    _ = round.start()
    var next = round.step(.answer(.promised(accepted: ballot, found), from: Hosts.disk("a")))
    let expected = isForced ? found : found.losing(lost, since: 2, proposal: later)
    #expect(next == [.accept(expected, layout.members)])
    next = round.step(.answer(.done, from: Hosts.disk("a")))
    #expect(next == [.decided(expected)])
    #expect(expected.isQuorum([Hosts.disk("a")]) && expected.isAgreed([Hosts.disk("a")]))
    // Others may have gone by another layout of the version that was found, so that its epochs are not used.
    #expect(expected.groups[7].epoch == (isForced ? 1 : expected.version) && expected.groups[8].epoch == 1)
  }

  /// A round that is forced asks those that are left.
  @Test func aForcedRoundDoesWithoutTheLost() {
    let layout = Hosts.layout("abc")
    let lost: Set<Member> = [Member(2), Member(3)]
    var round = LayoutRound(at: ballot, from: layout, without: lost) { layout, ballot in
      layout.losing(lost, proposal: ballot)
    }
    _ = round.start()
    let forced = layout.losing(lost, proposal: ballot)
    #expect(
      round.step(.answer(.promised(accepted: .none, nil), from: Hosts.disk("a"))) == [.accept(forced, layout.members)])
    #expect(round.step(.answer(.done, from: Hosts.disk("a"))) == [.decided(forced)])
    var ordinary = LayoutRound(at: ballot, from: layout) { _, _ in nil }
    #expect(ordinary.step(.answer(.promised(accepted: .none, nil), from: Hosts.disk("a"))) == [])
  }

  /// Those who decided on what is known may be the very ones who are lost.
  @Test func aForcedRoundGoesOnFromWhatIsKnownWhereThoseLeftAcceptedSomethingOlder() {
    let first = Hosts.layout("abc")
    let known = first.moving([7], proposal: ballot)
    let later = Ballot(counter: ballot.counter + 1, member: ballot.member)
    let lost: Set<Member> = [Member(2), Member(3)]
    var round = LayoutRound(at: later, from: known, without: lost) { layout, ballot in
      layout.losing(lost, proposal: ballot)
    }
    _ = round.start()
    let forced = known.losing(lost, proposal: later)
    #expect(
      round.step(.answer(.promised(accepted: ballot, first), from: Hosts.disk("a"))) == [.accept(forced, known.members)]
    )
    #expect(round.step(.answer(.done, from: Hosts.disk("a"))) == [.decided(forced)])
    // Where nobody is given up, it means that others went on meanwhile.
    var ordinary = LayoutRound(at: later, from: known) { _, _ in nil }
    let older = LayoutAnswer.promised(accepted: ballot, first)
    _ = ordinary.step(.answer(older, from: Hosts.disk("a")))
    #expect(ordinary.step(.answer(older, from: Hosts.disk("b"))) == [.failed(above: later)])
  }
}

@Suite struct LayoutOrderTests {
  @Test func aChangeIsCalledOffOnce() throws {
    let layout = Hosts.layout("ab")
    #expect(throws: LayoutOrder.Void("no change is under way")) { try LayoutOrder.callingOff(layout) }
    let changing = layout.changing(to: Hosts.list("abc"), proposal: ballot)
    let order = try LayoutOrder.callingOff(changing)
    #expect(order == .callOff(Hosts.list("abc").wish))
    let back = try #require(order.following(changing, ballot))
    #expect(back.next == layout.current && back.refused == Hosts.list("abc").wish)
    #expect(order.following(back, ballot) == nil)
    #expect(throws: LayoutOrder.Void("the change is being gone back on already")) { try LayoutOrder.callingOff(back) }
    // A change that began meanwhile is not meant.
    let other = layout.changing(to: Hosts.list("abd"), proposal: ballot)
    #expect(order.following(other, ballot) == nil)
  }

  @Test func onlyWhoGivesNoSignOfLifeIsGivenUp() throws {
    let layout = Hosts.layout("abc")
    let own = Hosts.hello("a", wishes: "abc", in: layout)
    func order(_ names: [String], heard: [Hello] = []) throws -> LayoutOrder {
      try LayoutOrder.givingUp(names, of: layout, heard: heard, own: own)
    }
    #expect(try order(["b"], heard: [Hosts.hello("c", wishes: "abc", in: layout)]) == .giveUp([Member(2)]))
    #expect(try order(["b", "c"]) == .giveUp([Member(2), Member(3)]))
    #expect(throws: LayoutOrder.Void("d is not in the layout")) { try order(["d"]) }
    #expect(throws: LayoutOrder.Void("a has been heard of lately: stop it first")) { try order(["a"]) }
    #expect(throws: LayoutOrder.Void("b has been heard of lately: stop it first")) {
      try order(["b"], heard: [Hosts.hello("b", wishes: "abc", in: layout)])
    }
    // Another disk under its name is no sign of life of the old one.
    let stranger = Hello(name: "b", disk: Hosts.disk("z"), wish: own.wish)
    #expect(try order(["b"], heard: [stranger]) == .giveUp([Member(2)]))
    let forced = try #require(order(["b"]).following(layout, ballot))
    #expect(try order(["b"]).following(forced, ballot) == nil)
    #expect(throws: LayoutOrder.Void("nobody would be left")) {
      try LayoutOrder.givingUp(["b"], of: Hosts.layout("b"), heard: [], own: own)
    }
  }
}

@Suite struct LayoutReportTests {
  @Test(arguments: [nil, Hosts.layout("ab"), Hosts.layout("ab").changing(to: Hosts.list("bc"), proposal: ballot)])
  func isReadAsItWasWritten(layout: Layout?) throws {
    let hosts = [LayoutReport.Host(Hosts.hello("a", wishes: "ab", in: layout, values: nil), ageSeconds: 7)]
    let report = LayoutReport(
      node: "a", layout: layout, addresses: [HostAddress(name: "b", address: "192.0.2.1:7776")], hosts: hosts,
      progress: layout == nil ? "none" : nil)
    #expect(try LayoutReport(report.bytes) == report)
    #expect(throws: ByteReader.Malformed.self) { try LayoutReport(report.bytes.dropLast()) }
    #expect(throws: ByteReader.Malformed.self) { try LayoutReport(report.bytes + [0]) }
  }

  @Test func isToldAsJSON() {
    let layout = Hosts.layout("a")
    let report = LayoutReport(
      node: "a", layout: layout, addresses: [], hosts: [], progress: "x")
    let disk = String(repeating: "0", count: 31) + "1"
    #expect(
      report.json.description
        == #"{"node":"a","cluster":"00000000000000070000000000000008","version":1,"current":{"placement":"ranges","#
        + #""replicas":1,"members":[{"name":"a","member":1,"disk":"\#(disk)","weight":1}]},"progress":"x","hosts":[]}"#)
  }

  @Test func aForecastAddsUpWhatChangesItsHost() {
    var forecast = MoveForecast(from: Hosts.layout("a"), to: Wish(names: ["a", "b"]), digest: MD5.digest)
    forecast.add(Slot(number: 1), byteCount: 10)
    forecast.add(Slot(number: 65_000), byteCount: 5)
    forecast.add(Slot(number: 65_001), byteCount: 1)
    #expect(forecast.all.values == 3 && forecast.all.bytes == 16)
    #expect(forecast.moved.values == 2 && forecast.moved.bytes == 6)
    #expect(forecast.hosts["a"]?.leaving == forecast.moved && forecast.hosts["b"]?.arriving == forecast.moved)
    #expect(forecast.hosts["a"]?.before == forecast.all)
  }

  @Test func anEstimateGoesByWhatHasArrivedSinceItBegan() throws {
    let changing = Hosts.layout("a").changing(to: Hosts.list("b"), proposal: ballot)
    let start = Instant(nanoseconds: 0)
    #expect(MoveEstimate(Hosts.layout("a"), at: start) == nil)
    let estimate = try #require(MoveEstimate(changing, at: start))
    #expect(estimate.isAbout(changing) && !estimate.isAbout(Hosts.layout("a")))
    let later = Instant(nanoseconds: 3_000_000_000)
    #expect(estimate.secondsLeft(changing, at: later) == nil)
    let half = changing.moving(Array(0..<64), proposal: ballot).switching(Array(0..<64), proposal: ballot)
    #expect(estimate.secondsLeft(half, at: later) == 9)
    #expect(MoveEstimate.words(secondsLeft: 59) == "less than a minute left")
    #expect(MoveEstimate.words(secondsLeft: 61) == "about 2 min left")
    #expect(MoveEstimate.words(secondsLeft: 9000) == "about 3 h left")
  }
}

/// Lists whose owners are drawn.
@Suite struct DrawnListTests {
  private static func wish(_ weights: [(String, Int, String?)]) -> Wish {
    Wish(
      hosts: weights.map { WishedHost(name: $0.0, weight: $0.1, zone: $0.2) }, copies: 1, rule: .rendezvous)
  }

  private func change(_ layout: Layout, to wish: Wish) throws -> MemberList {
    let hellos = wish.names.map { name in
      Hello(name: name, disk: Hosts.disk(Character(name)), cluster: layout.cluster, version: layout.version, wish: wish)
    }
    let plan = LayoutPlan(known: layout, own: hellos[0], heard: Array(hellos[1...]), digest: MD5.digest)
    return try #require(plan.following(layout, ballot)?.next)
  }

  /// The list that hosts agree on gives each slot the owner that the rule alone would.
  @Test func ownersAreThoseThatTheRuleDraws() throws {
    let hosts = [("a", 1, nil), ("b", 2, "rack1"), ("c", 4, "rack2")] as [(String, Int, String?)]
    let list = try change(Hosts.layout("abc"), to: Self.wish(hosts))
    #expect(list.rule == .rendezvous)
    #expect(list.members.map(\.zone) == [nil, "rack1", "rack2"])
    let members = hosts.map { name, weight, zone in
      RendezvousMember(
        name: name, seed: RendezvousMember.seed(digest: MD5.digest(Array(name.utf8))), weight: weight, zone: zone)
    }
    let rule = RendezvousPlacement(members: members, copies: 1)
    var counts = [0, 0, 0]
    for number in 0..<Slot.count {
      let slot = Slot(number: number)
      let owner = rule.owners(of: slot)[0]
      try #require(list.firstOwner(of: slot).name == hosts[owner].0)
      try #require(list.owners(of: slot) == [list.members[owner].member])
      counts[owner] += 1
    }
    // Within a fiftieth of their weights.
    for (count, weight) in zip(counts, [1, 2, 4]) {
      #expect(abs(Double(count) / Double(Slot.count) - Double(weight) / 7) < Double(weight) / 350)
    }
  }

  /// A weight that is changed is a change of the list; where ranges decide, it is none.
  @Test func weightsCountOnlyWhereOwnersAreDrawn() throws {
    let equal = try change(Hosts.layout("ab"), to: Self.wish([("a", 1, nil), ("b", 1, nil)]))
    let layout = Layout(first: equal, of: Hosts.cluster, proposal: .none)
    let heavier = try change(layout, to: Self.wish([("a", 1, nil), ("b", 3, nil)]))
    #expect(heavier.members.map(\.member) == equal.members.map(\.member))
    let moved = (0..<Slot.count).count {
      equal.firstOwner(of: Slot(number: $0)).name != heavier.firstOwner(of: Slot(number: $0)).name
    }
    #expect(abs(Double(moved) / Double(Slot.count) - 0.25) < 0.01)
    #expect(
      Wish(hosts: [WishedHost(name: "a", weight: 5, zone: "z")], copies: 1, rule: .ranges) == Wish(names: ["a"]))
  }

  /// Balance and movement of one copy, over lists of 3 to 50: within a hundredth of what is ideal.
  @Test(arguments: [3, 4, 5, 8, 10, 16, 24, 32, 49]) func addingAHostMovesWhatItIsToHold(count: Int) {
    func list(_ count: Int) -> RendezvousPlacement {
      RendezvousPlacement(
        members: (1...count).map {
          RendezvousMember(name: "node\($0)", seed: RendezvousMember.seed(digest: MD5.digest(Array("node\($0)".utf8))))
        }, copies: 1)
    }
    let (before, after) = (list(count), list(count + 1))
    let moves = (0..<Slot.count).map {
      (before.firstOwner(of: Slot(number: $0)), after.firstOwner(of: Slot(number: $0)))
    }
    .filter { $0 != $1 }
    #expect(moves.allSatisfy { $1 == count })
    #expect(abs(Double(moves.count) / Double(Slot.count) - 1 / Double(count + 1)) < 0.01)
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
    checksum: ValueChecksum(high: 7, low: 8), request: RequestToken(number: 9))
  private static let changing = Hosts.layout("abc").changing(to: Hosts.list("abcd"), proposal: ballot)
    .moving([0, 255], proposal: ballot)
  private static let drawn = Layout(
    first: MemberList(
      [
        LayoutMember(
          member: Member(1), name: "a", disk: Hosts.disk("a"), weight: 3, zone: "z",
          draw: LayoutMember.Draw(seed: .max, weight: 1 << 24 - 1))
      ], copies: 1, rule: .rendezvous), of: Hosts.cluster, proposal: ballot
  ).changing(to: Hosts.list("b"), proposal: ballot).reversing(refusing: Wish(names: ["b"]), proposal: ballot)
    .losing([Member(1)], proposal: ballot)

  private static let group = GroupQuestion(version: 1, epoch: 2, group: 3, member: Member(4))

  private static let slots: SlotSet = {
    var slots = SlotSet()
    for place in [0, 63, 64, 255] { slots.insert(place) }
    return slots
  }()

  private static let digest: GroupDigest = {
    var digest = GroupDigest()
    digest.add(KeyState(key: key, ballot: ballot, hasBytes: true), key.slot)
    return digest
  }()

  private static let questions: [NodeQuestion] =
    [
      .hello(
        Hello(
          name: "a", disk: Hosts.disk("a"), process: 11, cluster: Hosts.cluster, version: 3,
          wish: Wish(names: ["a", "b"]),
          valueCount: nil, strandedCount: 4, synced: [SyncedGroup(group: 255, epoch: .max)],
          addresses: [HostAddress(name: "b", address: "192.0.2.1:7776")], unlisted: ["c", "d"])),
      .prepareLayout(ballot), .acceptLayout(ballot, changing), .learnLayout(Hosts.layout("a")),
      .learnLayout(drawn),
      .held(HeldQuestion(version: 1, epoch: 2, group: 3, behind: nil, member: Member(4), source: Member(5))),
      .held(HeldQuestion(version: 1, epoch: 2, group: 3, behind: key, member: Member(4), source: Member(5))),
      .register(
        RegisterQuestion(
          version: 1, epoch: 2, key: key, request: .accept(ballot, descriptor), source: nil, content: content)),
      .write(order(content: nil, conditions: [], mayBeWritten: false)),
      .write(order(content: content, conditions: Array("If-None-Match: *\r\n".utf8), mayBeWritten: true)),
      .digests(group), .states(group, SlotSet(), behind: nil), .states(group, slots, behind: key), .look(key),
      .reads([ReadQuestion(epoch: 2, key: key), ReadQuestion(epoch: .max, key: key)]),
    ] + requests.map { .register(RegisterQuestion(version: 1, epoch: 2, key: key, request: $0, source: Member(9))) }

  private static let content = SmallContent(bytes: [1, 2, 3], fields: ValueFields(contentType: "a/b") ?? ValueFields())

  private static func order(content: SmallContent?, conditions: [UInt8], mayBeWritten: Bool) -> WriteOrder {
    WriteOrder(
      epoch: 2, key: key, descriptor: descriptor, source: Member(3), content: content, conditions: conditions,
      mayBeWritten: mayBeWritten)
  }

  private static let requests: [RegisterRequest] = [
    .read, .prepare(ballot), .accept(ballot, descriptor), .learn(ballot, descriptor), .purge(ballot),
  ]

  private static let answers: [NodeAnswer] = [
    .hello(Hosts.hello("a", wishes: "ab"), nil, nil),
    .hello(Hosts.hello("a", wishes: "ab"), changing, DiskHistory(bootCount: 1, begunAbove: 2, used: 1 << 62)),
    .layout(.done, Hosts.disk("a")), .layout(.outbid(ballot), Hosts.disk("a")),
    .layout(.promised(accepted: ballot, changing), Hosts.disk("a")), .noted, .otherLayout(5),
    .held([HeldKey(key: key, ballot: ballot, descriptor: descriptor)], isLast: true),
    .digests(digest), .states([KeyState(key: key, ballot: ballot, hasBytes: false)], isLast: false),
    .reads([.register(.unable, Member(2)), .otherLayout(7), .busy]),
    .register(.done, Member(2)), .register(.lacksBytes, Member(2)), .register(.unable, Member(2)),
    .register(.outbid(highest: ballot, accepted: .none), Member(2)),
    .register(.promised(Testimony(held: nil, floor: ballot)), Member(2)),
    .written(.done(existed: true)), .written(.done(existed: false)), .written(.done(existed: nil)),
    .written(.doneBefore), .written(.repeatedOtherwise),
    .written(.refused(exists: true)), .written(.refused(exists: false)), .written(.notWritten), .written(.unknown),
    .written(.moved(mayBeWritten: true)), .written(.moved(mayBeWritten: false)),
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
        disk: DiskID(high: 1, low: UInt64(number)), weight: 65_535, zone: String(repeating: "z", count: 64))
    }
    let list = MemberList(members, copies: 1, rule: .rendezvous)
    let layout = Layout(first: list, of: Hosts.cluster, proposal: .none).changing(to: list, proposal: ballot)
      .reversing(refusing: list.wish, proposal: ballot)
    #expect(layout.predecessors.count == 2)
    #expect(NodeQuestion.acceptLayout(ballot, layout).bytes.count <= NodeQuestion.writtenBytesMax)
  }

  /// Copies, and the numbers of the members.
  @Test(arguments: [(3, [1, 2]), (0, [1, 2]), (1, [1, 1]), (1, []), (0, [])] as [(UInt8, [UInt16])])
  func aListThatCannotBeIsRefused(copies: UInt8, numbers: [UInt16]) {
    var writer = ByteWriter()
    writer.write(copies)
    writer.write(UInt8(0))
    writer.write(numbers) { writer, number in
      writer.write(number)
      writer.write("host\(number)")
      writer.write(UInt64(0))
      writer.write(UInt64(number))
      writer.write(UInt16(1))
      writer.write(false)
      writer.write(UInt64(0))
      writer.write(UInt32(1))
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
    let hello = Hello(name: name, disk: Hosts.disk("a"), wish: Wish(names: []))
    #expect(throws: ByteReader.Malformed.self) { try NodeQuestion(NodeQuestion.hello(hello).bytes) }
    let wish = Hello(name: "a", disk: Hosts.disk("a"), wish: Wish(names: [name]))
    #expect(throws: ByteReader.Malformed.self) { try NodeQuestion(NodeQuestion.hello(wish).bytes) }
  }
}

extension Key {
  fileprivate static var vectors: Key { (try? Key(Array("a key".utf8))) ?? { preconditionFailure("it is a key") }() }
}
