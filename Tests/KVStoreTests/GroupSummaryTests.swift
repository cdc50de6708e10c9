import KVCluster
import KVCore
import KVLinux
import TestSupport
import Testing

@testable import KVStore

/// What a disk says of a group in short, and how damaged values come back.
@Suite struct GroupSummaryTests {
  private let fixture: StoreFixture
  private let registers: Registers
  private let key: Key
  private let group = 0x12

  init() throws {
    fixture = try StoreFixture()
    registers = Registers(fixture.store)
    key = try Key(text: "hashme")
  }

  private var store: Store { fixture.store }

  private func ask(
    _ request: RegisterRequest, fetch: (KVCluster.Descriptor) async -> Bool = { _ in false }
  ) async -> RegisterAnswer? {
    await registers.answer(request, key, isCurrent: { true }, fetch: fetch)
  }

  private func digest() async throws -> GroupDigest { try await store.summary(of: group).digest }

  private func expected(_ states: KeyState...) -> GroupDigest {
    var digest = GroupDigest()
    for state in states { digest.add(state, state.key.slot) }
    return digest
  }

  @Test func aSurveyFollowsWhatChanges() async throws {
    #expect(try await digest() == GroupDigest())
    let stored = try await fixture.put(key, [1, 2])
    #expect(try await digest() == expected(KeyState(key: key, ballot: stored.ballot, hasBytes: true)))
    // Its ballot alone.
    let next = try store.votes.ballot(above: stored.ballot)
    #expect(await ask(.accept(next, KVCluster.Descriptor(stored))) == .done)
    #expect(try await digest() == expected(KeyState(key: key, ballot: next, hasBytes: true)))
    #expect(try await store.summary(of: group).deletions == [])
    let last = try store.votes.ballot(above: next)
    let deletion = KVCluster.Descriptor(
      upload: UploadID(member: last.member, counter: last.counter), kind: .deletion, valueBytes: 0,
      committedAtNanoseconds: 1, checksum: ValueChecksum(high: 0, low: 0))
    #expect(await ask(.accept(last, deletion)) == .done)
    #expect(try await digest() == expected(KeyState(key: key, ballot: last, hasBytes: true)))
    #expect(try await store.summary(of: group).deletions == [key])
    #expect(await ask(.purge(last)) == .done)
    #expect(try await digest() == GroupDigest())
    #expect(try fixture.valuePaths() == [])
  }

  /// A directory that has not changed is not gone through again: what somebody does to a file behind the node's back shows
  /// once it is told of it.
  @Test func aGroupIsGoneThroughAgainOnlyOnceItHasChanged() async throws {
    let stored = try await fixture.put(key, [1, 2])
    let before = try await digest()
    try File(writingPath: fixture.directory.path + "/data/values/12/hashme").truncate(byteCount: 1)
    #expect(try await digest() == before)
    store.usage.noteChange(shard: group)
    #expect(try await digest() == expected(KeyState(key: key, ballot: stored.ballot, hasBytes: false)))
  }

  @Test func statesAreToldOfTheSlotsThatAreAskedForPageByPage() async throws {
    var slots = SlotSet()
    var keys: [Key] = []
    for number in 0..<3000 {
      let key = try Key(text: "key\(number)")
      guard key.slot.group == group else { continue }
      try await fixture.put(key, [1])
      guard key.slot.number % 2 == 0 else { continue }
      slots.insert(key.slot.number % GroupDigest.slotCount)
      keys.append(key)
    }
    keys.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    var told: [Key] = []
    var isLast = false
    while !isLast {
      let page = try await store.states(of: group, in: slots, behind: told.last, limit: 2)
      told += page.page.map(\.key)
      isLast = page.isLast
      try #require(told.count <= keys.count)
    }
    #expect(told == keys)
  }

  // MARK: Damaged values

  /// Has a check find the value damaged and move it away.
  private func quarantine() async throws {
    let file = try File(writingPath: fixture.directory.path + "/data/values/12/hashme")
    try file.write(([9] as [UInt8]).span.bytes, at: 0)
    _ = try await Scrub(dataDirectory: fixture.directory.path + "/data", repairs: true).run { _ in }
    #expect(try fixture.directory.files(in: "data/quarantine").count == 1)
  }

  private func seal(_ bytes: [UInt8], as wanted: KVCluster.Descriptor?) async -> KVCluster.Descriptor? {
    do throws(StoreError) {
      var value = try store.stage(key, byteCount: nil)
      try value.append(bytes)
      if let wanted { return try await value.seal(ValueFields(), expected: wanted) }
      return try await value.seal(ValueFields())
    } catch {
      return nil
    }
  }

  @Test func aDamagedValueThatIsLearntAgainLeavesNothingInQuarantine() async throws {
    let stored = try await fixture.put(key, [1, 2, 3])
    try await quarantine()
    let held = try #require(try await store.held(key))
    #expect(held == Held(ballot: stored.ballot, descriptor: Descriptor(stored), hasBytes: false))
    #expect(await ask(.learn(held.ballot, held.descriptor)) == .lacksBytes)
    #expect(await ask(.learn(held.ballot, held.descriptor)) { await seal([1, 2, 3], as: $0) != nil } == .done)
    #expect(try fixture.get(key) == [1, 2, 3])
    #expect(try await store.held(key)?.hasBytes == true)
    #expect(try fixture.directory.files(in: "data/quarantine") == [])
  }

  @Test func theVoteStaysWhenTheDamagedFileIsRemoved() async throws {
    let stored = try await fixture.put(key, [1, 2, 3])
    try await quarantine()
    let name = try #require(try fixture.directory.files(in: "data/quarantine").first)
    _ = try Directory(path: fixture.directory.path + "/data/quarantine").removeFile(name)
    let held = Held(ballot: stored.ballot, descriptor: Descriptor(stored), hasBytes: false)
    #expect(try await store.held(key) == held)
    #expect(await ask(.learn(held.ballot, held.descriptor)) { await seal([1, 2, 3], as: $0) != nil } == .done)
    #expect(try fixture.get(key) == [1, 2, 3])
  }

  /// What was damaged may be of use to somebody where nothing the same has come in its place.
  @Test func aDamagedValueThatIsWrittenOverStaysInQuarantine() async throws {
    try await fixture.put(key, [1, 2, 3])
    try await quarantine()
    let descriptor = try #require(await seal([4], as: nil))
    #expect(await ask(.accept(try store.votes.ballot(above: .none), descriptor)) == .done)
    #expect(try fixture.get(key) == [4])
    #expect(try fixture.directory.files(in: "data/quarantine").count == 1)
  }
}
