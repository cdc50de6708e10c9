import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore
import Testing
import TestSupport

@testable import KVServer

@Suite(.hangLimit) struct ListingTests {
  private static func cluster() -> Cluster {
    var configuration = Configuration(nodeName: "node1")
    configuration.peers = TestNodes.peers([1, 2, 3])
    return Cluster(configuration)
  }

  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private static func lines(_ keys: [String]) -> String {
    keys.map { "value\t\($0)\t5\t1994-11-06T08:49:37Z\t-\ttext/plain\n" }.joined()
  }

  private func listing(_ answers: [String: String], _ decisions: Decided = Decided()) -> Listing {
    let threads = Wire.executor
    return Listing(
      store: fixture.store, peers: MemoryPeers(answers: answers), disk: threads, network: threads,
      decisions: decisions)
  }

  @Test func mergesThePagesOfAllNodesAndEndsWhereOneDoes() async throws {
    let listing = listing([
      "node2": Self.lines(["a", "c"]) + "next\tat-65\n", "node3": Self.lines(["b", "d", "f"]) + "end\n",
    ])
    try await Wire.test {
      try await fixture.store.buildIndex()
      let page = try await listing.page(ListRequest(prefix: []), Self.cluster())
      #expect(page.entries.map(\.name).map { String(decoding: $0, as: UTF8.self) } == ["a", "b", "c", "d"])
      #expect(page.next == Array("e".utf8))
    }
  }

  /// One node ends its page inside a group that another has gone past: the next page must not give it again.
  @Test func goesOnBehindAGroupThatIsOnThePage() async throws {
    let listing = listing([
      "node2": "prefix\ta/\nnext\tat-612f35\n", "node3": "prefix\ta/\nprefix\tb/\nend\n",
    ])
    try await Wire.test {
      try await fixture.store.buildIndex()
      var request = ListRequest(prefix: [])
      request.delimiter = Array("/".utf8)
      let page = try await listing.page(request, Self.cluster())
      #expect(page.entries == [.group(Array("a/".utf8))])
      #expect(page.next == Array("a0".utf8))
    }
  }

  @Test(arguments: [["node2": "end\n"], ["node2": "end\n", "node3": "<html>"]])
  func aNodeThatDoesNotAnswerAsItShouldFailsTheListing(answers: [String: String]) async throws {
    let listing = listing(answers)
    try await Wire.test {
      try await fixture.store.buildIndex()
      var message = ""
      do throws(ExchangeError) {
        _ = try await listing.page(ListRequest(prefix: []), Self.cluster())
      } catch {
        if case .refused(let failure) = error { message = failure.message }
      }
      #expect(message.hasPrefix("LIST: node3"))
    }
  }

  // MARK: Several copies

  /// What is decided, by key; nothing can be found out of others.
  private struct Decided: KeyDecisions {
    var mayVote = true
    var keys: [String: Decision] = [:]

    func decision(_ key: Key, _ layout: Layout) async -> Decision { keys["\(key)"] ?? .unavailable }
  }

  /// This node is one of four, and has nothing. Another, node1, was given another disk.
  private static func copiedCluster() -> Cluster {
    var configuration = Configuration(nodeName: "node4")
    configuration.peers = TestNodes.peers([1, 2, 3, 4])
    let members = (1...4).map { number in
      LayoutMember(
        member: Member(UInt16(number)), name: "node\(number)", disk: DiskID(high: 0, low: UInt64(number)))
    }
    let layout = Layout(first: MemberList(members, copies: 3), proposal: Ballot(counter: 1, member: Member(1)))
    return Cluster(configuration, layout: layout, disk: DiskID(high: 0, low: 4))
  }

  private static func part(_ number: Int, _ entries: [(key: String, byteCount: Int)]) -> String {
    let lines = entries.map { key, byteCount in
      "value\t\(key)\t\(byteCount)\t1994-11-06T08:49:37Z\txxh3-0000000000000000000000000000000\(byteCount)\ttext/plain\n"
    }
    return "member\t\(number)\n\(lines.joined())end\n"
  }

  private static func held(_ byteCount: Int, _ kind: KVCluster.Descriptor.Kind = .value) -> Held {
    Held(
      ballot: Ballot(counter: 7, member: Member(1)),
      descriptor: Descriptor(
        upload: UploadID(member: Member(1), counter: 7), kind: kind, valueBytes: byteCount,
        committedAtNanoseconds: 784_111_777_000_000_000, checksum: ValueChecksum(high: 0, low: UInt64(byteCount))),
      hasBytes: true)
  }

  /// A key that these nodes own, told apart by a number.
  private static func key(_ owners: Set<UInt16>, _ number: Int) throws -> String {
    let layout = try #require(copiedCluster().topology.layout)
    let key = try #require(
      (0..<10_000).map { "k\(number)-\($0)" }.first { text in
        (try? Key(text: text)).map { Set(layout.view(of: $0.slot).owners.map(\.number)) } == owners
      })
    return key
  }

  private func sizes(_ page: ListPage) -> [String: Int] {
    var sizes: [String: Int] = [:]
    for case .value(let value) in page.entries {
      sizes[String(decoding: value.key, as: UTF8.self)] = value.byteCount
      #expect(value.contentType == "text/plain")
    }
    return sizes
  }

  /// One node is away, and the others differ: one has missed a deletion, and one an overwrite.
  @Test func whereOwnersDifferTheRegisterTells() async throws {
    let keys = try (0..<4).map { try Self.key([1, 2, 3], $0) }.sorted()
    var decided = Decided()
    decided.keys[keys[1]] = .chosen(Self.held(0, .deletion), holders: [])
    decided.keys[keys[2]] = .chosen(Self.held(7), holders: [])
    let listing = listing(
      [
        "node1": Self.part(1, [(keys[0], 5), (keys[1], 5), (keys[2], 5), (keys[3], 5)]),
        "node2": Self.part(2, [(keys[0], 5), (keys[2], 7), (keys[3], 5)]),
      ], decided)
    try await Wire.test {
      try await fixture.store.buildIndex()
      let page = try await listing.page(ListRequest(prefix: []), Self.copiedCluster())
      #expect(sizes(page) == [keys[0]: 5, keys[2]: 7, keys[3]: 5])
      #expect(page.missing.isEmpty && page.next == nil && page.member == nil)
    }
  }

  /// What is decided after the owners were asked is told by one that has it.
  @Test func aValueThatCameMeanwhileIsToldByWhoHasIt() async throws {
    let key = try Self.key([1, 2, 3], 0)
    let decided = Decided(keys: [key: .chosen(Self.held(9), holders: [Member(4), Member(3), Member(2)])])
    let listing = listing(
      ["node1": Self.part(1, [(key, 5)]), "node2": Self.part(2, [(key, 9)]), "node3": Self.part(3, [(key, 6)])], decided
    )
    try await Wire.test {
      try await fixture.store.buildIndex()
      let page = try await listing.page(ListRequest(prefix: []), Self.copiedCluster())
      #expect(sizes(page) == [key: 9])
    }
  }

  @Test(arguments: [
    (["node1": "member\t1\nend\n"], "LIST: too few nodes answer: node2, node3 do not; node2 is away"),
    // Neither is the disk known that one tells of, nor does the other say which it is.
    (
      ["node1": "member\t9\nend\n", "node2": "end\n", "node3": "member\t3\nend\n"],
      "LIST: too few nodes answer: node1, node2 do not"
    ),
    (
      ["node1": "member\t1\nend\n", "node2": "prefix\tb/\nprefix\ta/\nend\n"],
      "LIST: too few nodes answer: node2, node3 do not; node2: "
    ),
  ])
  func tooFewNodesFailTheListing(answers: [String: String], message: String) async throws {
    let listing = listing(answers)
    try await Wire.test {
      try await fixture.store.buildIndex()
      let told = await Self.failure { () async throws(ExchangeError) in
        _ = try await listing.page(ListRequest(prefix: []), Self.copiedCluster())
      }
      #expect(told?.kind == .unavailable)
      #expect(told?.message.prefix(message.utf8.count) == message[...])
      var request = ListRequest(prefix: [])
      request.isPartial = true
      #expect(try await listing.page(request, Self.copiedCluster()).missing.count == 2)
    }
  }

  @Test(arguments: [(Decision.moved, Failure.Kind.misdirected), (.unavailable, .unavailable)])
  func aKeyOfWhichNothingIsCertainFailsTheListing(decision: Decision, kind: Failure.Kind) async throws {
    let key = try Self.key([1, 2, 3], 0)
    let listing = listing(
      ["node1": Self.part(1, [(key, 5)]), "node2": Self.part(2, [(key, 7)])], Decided(keys: [key: decision]))
    try await Wire.test {
      try await fixture.store.buildIndex()
      let told = await Self.failure { () async throws(ExchangeError) in
        _ = try await listing.page(ListRequest(prefix: []), Self.copiedCluster())
      }
      #expect(told?.kind == kind)
    }
  }

  /// Another node is not told of a disk whose votes do not count.
  @Test func aPartIsOfADiskThatVotes() async throws {
    var request = ListRequest(prefix: [])
    request.relayed = Self.copiedCluster().topology.relayMark
    let (voter, other) = (listing([:]), listing([:], Decided(mayVote: false)))
    let relayed = request
    try await Wire.test {
      try await fixture.store.buildIndex()
      #expect(try await voter.page(relayed, Self.copiedCluster()).member == Member(4))
      let told = await Self.failure { () async throws(ExchangeError) in
        _ = try await other.page(relayed, Self.copiedCluster())
      }
      #expect(told?.kind == .unavailable)
    }
  }

  private static func failure(_ action: () async throws(ExchangeError) -> Void) async -> Failure? {
    do throws(ExchangeError) {
      try await action()
      return nil
    } catch {
      if case .refused(let failure) = error { return failure }
      return nil
    }
  }
}
