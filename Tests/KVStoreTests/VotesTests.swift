import KVCluster
import KVCore
import KVLinux
import TestSupport
import Testing

@testable import KVStore

@Suite struct VotesTests {
  @Test func readsTheRecordItWrites() {
    let record = NodeRecord(bootCount: 12, horizon: 1 << 63)
    #expect(record.text == "kvnode node 1\nboots 12\nhorizon 9223372036854775808\n")
    #expect(NodeRecord(Array(record.text.utf8)) == record)
    let withheld = NodeRecord(bootCount: 1, horizon: 2, isWithheld: true)
    #expect(withheld.text == "kvnode node 1\nboots 1\nhorizon 2\nvotes withheld\n")
    #expect(NodeRecord(Array(withheld.text.utf8)) == withheld)
  }

  /// What a disk that was put back has promised is not known: it begins above all that it may have, and whoever remembers it
  /// sees that it has come further.
  @Test func aDiskThatWasPutBackComesFurtherThanItWas() throws {
    let fixture = try StoreFixture()
    let votes = fixture.store.votes
    let far = Ballot(counter: Instant.wallMicroseconds + (1 << 40), member: Member(1))
    let remembered = DiskHistory(bootCount: 7, begunAbove: 5, used: far.counter)
    #expect(!votes.history().follows(remembered))
    try votes.withhold()
    #expect(votes.record.isWithheld)
    try votes.passOver(remembered)
    #expect(votes.begunAbove > far.counter)
    #expect(try votes.ballot(above: .none) > far)
    #expect(!votes.history().follows(remembered))
    try votes.renew(after: remembered)
    #expect(votes.history().follows(remembered))
    #expect(!votes.record.isWithheld)
  }

  @Test func aFailedSyncStaysOneWhateverIsPassedOver() throws {
    let fixture = try StoreFixture()
    let votes = fixture.store.votes
    votes.syncFailed()
    try votes.passOver(.none)
    #expect(votes.step(.read, try Key(text: "a"), group: 0, nil, isStaged: false) == [.answer(.unable)])
  }

  @Test(
    arguments: [
      "", "\n", "kvnode node 1\nboots 12\nhorizon 5", "kvnode node 2\nboots 12\nhorizon 5\n",
      "kvnode node 1\nboots 12\nhorizon +5\n", "kvnode node 1\nboots 012\nhorizon 5\n",
      "kvnode node 1\nboots 12\nhorizon 9223372036854775809\n", "kvnode node 1\nhorizon 5\nboots 12\n",
      "kvnode node 1\nboots 12\nhorizon 5\n\n", "kvnode node 1\nboots 1\nhorizon 5\nvotes\n",
      "kvnode node 1\nboots -1\nhorizon 5\n",
    ])
  func refusesAnotherRecord(text: String) {
    #expect(NodeRecord(Array(text.utf8)) == nil)
  }

  @Test func refusesADirectoryWhoseRecordCannotBeRead() throws {
    let directory = try TemporaryDirectory()
    _ = try StoreFixture(directory)
    try directory.write(Array("kvnode node 7\n".utf8), to: "data/node")
    let error = #expect(throws: StoreOpenError.self) { _ = try StoreFixture(directory) }
    #expect(
      error?.description
        == "data directory \(directory.path)/data: its file 'node' says 'kvnode node 7\\x0a', which this version did not write"
    )
    #expect(error?.needsAdministrator == true)
  }

  @Test func stampsRise() throws {
    let votes = try StoreFixture().store.votes
    var last = try votes.stamp()
    for _ in 0..<1000 {
      let next = try votes.stamp()
      #expect(next > last)
      last = next
    }
  }

  /// A process that was killed has written no more than the horizon: the next one must be above all that it used.
  @Test(arguments: [false, true])
  func noStampComesTwice(isClosed: Bool) throws {
    let directory = try TemporaryDirectory()
    var last = Ballot.none
    for boot in 1...3 as ClosedRange<UInt64> {
      let fixture = try StoreFixture(directory)
      #expect(fixture.store.votes.record.bootCount == boot)
      let stamp = try fixture.store.votes.stamp()
      #expect(stamp > last)
      last = stamp
      if isClosed { try fixture.store.close() }
    }
  }

  @Test func whatIsClosedGoesOnWhereItWas() throws {
    let directory = try TemporaryDirectory()
    let fixture = try StoreFixture(directory)
    let stamp = try fixture.store.votes.stamp()
    try fixture.store.close()
    #expect(try directory.read("data/node") == Array("kvnode node 1\nboots 1\nhorizon \(stamp.counter)\n".utf8))
  }

  /// Nothing is written without need, least of all by a node that nobody uses.
  @Test func theHorizonIsRaisedOnlyNearIt() throws {
    let votes = try StoreFixture().store.votes
    let record = votes.record
    try votes.keepAhead()
    _ = try votes.stamp()
    try votes.keepAhead()
    #expect(votes.record == record)
  }

  @Test func aValueBearsItsStamp() async throws {
    let fixture = try StoreFixture()
    let key = try Key(text: "hashme")
    let before = try fixture.store.votes.stamp()
    let stored = try await fixture.put(key, [1])
    let after = try fixture.store.votes.stamp()
    #expect(before < stored.ballot && stored.ballot < after)
    #expect(stored.upload == UploadID(member: stored.ballot.member, counter: stored.ballot.counter))
    guard let value = try fixture.store.open(key) else { return #expect(Bool(false), "the value is gone") }
    let recorded = value.attribute
    #expect(recorded == stored)
  }
}

@Suite struct DeletionFileTests {
  private let fixture: StoreFixture
  private let key: Key

  init() async throws {
    fixture = try StoreFixture()
    key = try Key(text: "hashme")
    try await fixture.put(key, [])
    let file = try File(writingPath: fixture.directory.path + "/data/values/12/hashme")
    let deletion = ValueAttribute(
      valueBytes: 0, committedAtNanoseconds: 1, checksum: ValueChecksum(high: 1, low: 2),
      upload: UploadID(member: Member(1), counter: 2), ballot: Ballot(counter: 3, member: Member(1)), isDeletion: true)
    try file.setAttribute(ValueAttribute.name, deletion.encoded)
  }

  @Test func readersFindNothing() throws {
    #expect(try fixture.get(key) == nil)
    let isCached =
      switch fixture.store.openCached(key) {
      case .some: true
      case .none: false
      }
    #expect(!isCached)
  }

  @Test func itIsCountedAndListedAsNothing() async throws {
    for shard in ValuePath.shards.indices { try fixture.store.count(shard: shard) }
    #expect(fixture.store.usage.total.count == StoreUsage.Count(values: 0, bytes: 0))
    let store = fixture.store
    try await withTaskExecutorPreference(Wire.executor) { try await store.buildIndex() }
    #expect(try fixture.store.index.page(ListRequest(prefix: [])) { _ in true }.entries == [])
    var stranded = Stranded()
    try stranded.add(shard: 0x12, of: fixture.store.layout.values) { _ in "node2" }
    #expect(stranded.total == 0)
  }

  @Test func aCheckPassesIt() async throws {
    let scrub = try Scrub(dataDirectory: fixture.directory.path + "/data", repairs: false)
    var events = 0
    let summary = try await scrub.run { _ in events += 1 }
    #expect((events, summary.values, summary.strays) == (0, 0, 0))
  }

  @Test func aValueTakesItsPlaceAndIsNew() async throws {
    var value = try fixture.store.stage(key, byteCount: nil)
    try value.append([7])
    #expect(try await value.commit(if: WriteCondition(Preconditions(), for: .put)).created == true)
    #expect(try fixture.get(key) == [7])
  }
}
