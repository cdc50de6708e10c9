import Glibc
import KVCluster
import KVCore
import KVLinux
import TestSupport
import Synchronization
import Testing

@testable import KVStore

/// Keys of which others have a say too, on one disk.
@Suite struct RegistersTests {
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

  private func open(epoch: UInt64, isShared: Bool) {
    store.set((0..<256).map { _ in Say(epoch: epoch, isShared: isShared) })
  }

  private func ask(
    _ request: RegisterRequest, isCurrent: @escaping @Sendable () -> Bool = { true },
    fetch: (KVCluster.Descriptor) async -> Bool = { _ in false }
  ) async -> RegisterAnswer? {
    await registers.answer(request, key, isCurrent: isCurrent, fetch: fetch)
  }

  private func ballot() throws -> Ballot { try store.votes.ballot(above: .none) }

  private func seal(_ bytes: [UInt8]) async throws -> KVCluster.Descriptor {
    var value = try store.stage(key, byteCount: nil)
    try value.append(bytes)
    return try await value.seal(ValueFields())
  }

  private func deletion(_ ballot: Ballot) -> KVCluster.Descriptor {
    KVCluster.Descriptor(
      upload: UploadID(member: ballot.member, counter: ballot.counter), kind: .deletion, valueBytes: 0,
      committedAtNanoseconds: 1, checksum: ValueChecksum(high: 0, low: 0))
  }

  // MARK: Without the disk

  private func atOnce(_ request: RegisterRequest, isCurrent: Bool = true) async -> RegisterAnswer? {
    await registers.answerAtOnce(request, key, isCurrent: { isCurrent })
  }

  @Test func whatTheKernelKnowsIsAnsweredAtOnceAndAlike() async throws {
    open(epoch: 1, isShared: true)
    // The name has not been looked for yet.
    #expect(await atOnce(.read) == nil)
    #expect(await ask(.read) == .holds(Testimony(held: nil, floor: store.votes.floor(of: UInt8(group)))))
    let first = try ballot()
    let descriptor = try await seal([1])
    #expect(await ask(.prepare(first)) == .promised(Testimony(held: nil, floor: store.votes.floor(of: UInt8(group)))))
    #expect(await ask(.accept(first, descriptor)) == .done)
    #expect(await atOnce(.read) == ask(.read))
    #expect(await atOnce(.read, isCurrent: false) == nil)
    let second = try ballot()
    let held = Held(ballot: first, descriptor: descriptor, hasBytes: true)
    let testimony = Testimony(held: held, floor: store.votes.floor(of: UInt8(group)))
    #expect(await atOnce(.prepare(second)) == .promised(testimony))
    // What was promised at once counts.
    #expect(await ask(.prepare(first)) == .outbid(highest: second, accepted: first))
    #expect(await atOnce(.prepare(first)) == .outbid(highest: second, accepted: first))
  }

  @Test func whatHasToBeWrittenFirstIsNotAnsweredAtOnce() async throws {
    open(epoch: 1, isShared: true)
    let ballot = try ballot()
    let descriptor = try await seal([1])
    #expect(await ask(.accept(ballot, descriptor)) == .done)
    for request in [RegisterRequest.accept(ballot, descriptor), .learn(ballot, descriptor), .purge(ballot)] {
      #expect(await atOnce(request) == nil)
    }
    let far = Ballot(counter: store.votes.record.horizon + 1, member: Member(1))
    #expect(await atOnce(.prepare(far)) == nil)
    #expect(store.votes.record.horizon < far.counter)
    #expect(store.votes.ballotAtOnce(above: far) == nil)
    #expect(try store.votes.ballot(above: far) > far)
    #expect(store.votes.record.horizon > far.counter)
  }

  /// The kernel may show what never came to the disk.
  @Test func aDiskOfWhichAnySyncHasFailedVotesNoMore() async throws {
    open(epoch: 1, isShared: true)
    let ballot = try ballot()
    #expect(await ask(.accept(ballot, try await seal([1]))) == .done)
    #expect(await atOnce(.read) != .unable)
    _ = store.syncs.failed(SystemError(call: "fsync", code: EIO))
    #expect(await atOnce(.read) == .unable)
    #expect(await registers.readNow(key, isCurrent: { true }) == .unable)
    #expect(await ask(.read) == .unable)
    #expect(await ask(.prepare(try self.ballot())) == .unable)
  }

  @Test func whereTheDirectoryOfAGroupIsGoneNothingIsSaidAtOnce() async throws {
    open(epoch: 1, isShared: true)
    #expect(await ask(.accept(try ballot(), try await seal([1]))) == .done)
    try store.layout.values.rename("12", to: "gone", in: store.layout.values)
    #expect(await ask(.read) == .unable)
    #expect(await atOnce(.read) == nil)
  }

  // MARK: Gates

  @Test(arguments: [(1, false), (0, true), (1, true)] as [(UInt64, Bool)])
  func whatBeganAloneIsNotDoneOnceOthersHaveASay(epoch: UInt64, isShared: Bool) async throws {
    try await fixture.put(key, [1])
    var value = try store.stage(key, byteCount: nil)
    try value.append([2])
    open(epoch: epoch, isShared: isShared)
    await #expect(throws: StoreError.shared) { _ = try await store.delete(key) }
    let absent = try Key(text: "absent")
    await #expect(throws: StoreError.shared) { _ = try await store.delete(absent) }
    do throws(StoreError) {
      _ = try await value.commit()
      Issue.record("it was committed")
    } catch {
      #expect(error == .shared)
    }
    #expect(try fixture.get(key) == [1])
    // Its bytes are not lost: they can be sealed for the others to decide about.
    _ = try await value.seal(ValueFields())
    #expect(try fixture.stagedNames().count == 1)
  }

  /// The same upload comes once more while it is accepted. The file that came second says nothing of any ballot, and a disk
  /// must not vote for what no round has proposed.
  @Test func bytesThatComeTwiceAreAcceptedAtTheBallotOfTheRound() async throws {
    let descriptor = try await seal([1, 2, 3])
    let name = StoreName.upload(descriptor.upload, of: key)
    let attribute = try File(path: fixture.directory.path + "/data/staging/\(name)").attribute(
      ValueAttribute.name, bytesMax: 64)
    let ballot = try ballot()
    let asked = Mutex(0)
    let isCurrent: @Sendable () -> Bool = { [store] in
      let count = asked.withLock { count in
        count += 1
        return count
      }
      // The second time is at the moment at which the file gets its name.
      guard count == 2 else { return true }
      do {
        let again = try store.layout.staging.createFile("again")
        try again.write([1, 2, 3].span.bytes, at: 0)
        try again.setAttribute(ValueAttribute.name, attribute ?? [])
        try store.layout.staging.rename("again", to: name, in: store.layout.staging)
      } catch {
        Issue.record(error)
      }
      return true
    }
    #expect(await ask(.accept(ballot, descriptor), isCurrent: isCurrent) == .done)
    #expect(try await store.held(key)?.ballot == ballot)
  }

  @Test func whatBeganUnderThePresentEpochIsDone() async throws {
    open(epoch: 7, isShared: false)
    var value = try store.stage(key, byteCount: nil, epoch: 7)
    try value.append([2])
    #expect(try await value.commit().created == true)
    #expect(try await store.delete(key, epoch: 7))
  }

  // MARK: Votes

  @Test func whatIsAcceptedIsTheValue() async throws {
    let descriptor = try await seal([1, 2, 3])
    let ballot = try ballot()
    #expect(await ask(.prepare(ballot)) == .promised(Testimony(held: nil, floor: store.votes.floor(of: UInt8(group)))))
    #expect(try fixture.get(key) == nil)
    #expect(await ask(.accept(ballot, descriptor)) == .done)
    #expect(try fixture.get(key) == [1, 2, 3])
    #expect(try fixture.stagedNames() == [])
    let held = Held(ballot: ballot, descriptor: descriptor, hasBytes: true)
    #expect(try await store.held(key) == held)
    // The same once more changes nothing, and a lower one is told what is held.
    #expect(await ask(.accept(ballot, descriptor)) == .done)
    let lower = Ballot(counter: ballot.counter - 1, member: ballot.member)
    #expect(await ask(.prepare(lower)) == .outbid(highest: ballot, accepted: ballot))
  }

  @Test func uploadsThatNobodyTakesAreThrownAwayInTheEnd() async throws {
    let descriptor = try await seal([1, 2, 3])
    #expect(try store.removeUploads(untouchedForSeconds: 60) == 0)
    #expect(try store.open(descriptor.upload, of: key) != nil)
    #expect(try store.removeUploads(untouchedForSeconds: -60) == 1)
    #expect(try fixture.stagedNames() == [])
    // A value on its way in has another name.
    let value = try store.stage(key, byteCount: nil)
    #expect(try store.removeUploads(untouchedForSeconds: -60) == 0)
    _ = consume value
  }

  @Test func fewBytesAreGivenAlong() async throws {
    let small = try await seal([1, 2, 3])
    #expect(try store.smallContent(of: small, key) == SmallContent(bytes: [1, 2, 3], fields: ValueFields()))
    let large = try await seal([UInt8](repeating: 7, count: SmallContent.bytesMax + 1))
    #expect(try store.smallContent(of: large, key) == nil)
  }

  @Test func bytesThatAreMissingAreFetched() async throws {
    let descriptor = try await seal([5])
    store.dropUpload(descriptor.upload, of: key)
    let ballot = try ballot()
    #expect(await ask(.accept(ballot, descriptor)) == .lacksBytes)
    #expect(try await store.held(key) == nil)
    let fetch: (KVCluster.Descriptor) async -> Bool = { wanted in
      do throws(StoreError) {
        var value = try store.stage(key, byteCount: nil)
        try value.append([5])
        _ = try await value.seal(ValueFields(), expected: wanted)
        return true
      } catch {
        return false
      }
    }
    let answer = await ask(.accept(ballot, descriptor), fetch: fetch)
    #expect(answer == .done)
    #expect(try fixture.get(key) == [5])
  }

  /// Bytes from elsewhere that are not those that were decided on must not get their name.
  @Test func otherBytesAreNotTakenForThem() async throws {
    let descriptor = try await seal([5])
    store.dropUpload(descriptor.upload, of: key)
    var value = try store.stage(key, byteCount: nil)
    try value.append([6])
    do throws(StoreError) {
      _ = try await value.seal(ValueFields(), expected: descriptor)
      Issue.record("they were taken")
    } catch {
      if case .damaged = error {} else { Issue.record("\(error)") }
    }
    #expect(await ask(.accept(try ballot(), descriptor)) == .lacksBytes)
  }

  @Test func whatIsThereGetsAHigherBallotWithoutItsBytesBeingMoved() async throws {
    let stored = try await fixture.put(key, [9])
    let inode = try File(path: fixture.directory.path + "/data/values/12/hashme").status().inode
    let ballot = try ballot()
    #expect(await ask(.accept(ballot, KVCluster.Descriptor(stored))) == .done)
    #expect(try await store.held(key)?.ballot == ballot)
    #expect(try File(path: fixture.directory.path + "/data/values/12/hashme").status().inode == inode)
  }

  @Test func aDeletionStaysUntilItIsForgotten() async throws {
    try await fixture.put(key, [9])
    let ballot = try ballot()
    #expect(await ask(.accept(ballot, deletion(ballot))) == .done)
    #expect(try fixture.get(key) == nil)
    #expect(try fixture.valuePaths() == ["12/hashme"])
    let floor = store.votes.floor(of: UInt8(group))
    try await store.forgetDeletions(of: group) { true }
    #expect(try fixture.valuePaths() == [])
    #expect(store.votes.floor(of: UInt8(group)) > floor)
    #expect(store.votes.floor(of: UInt8(group)) >= ballot)
  }

  @Test func aValueThatTookADeletionsPlaceIsNotForgotten() async throws {
    let ballot = try ballot()
    _ = await ask(.accept(ballot, deletion(ballot)))
    let descriptor = try await seal([1])
    let next = try store.votes.ballot(above: ballot)
    _ = await ask(.accept(next, descriptor))
    try await store.remove(key, holding: ballot) { true }
    try await store.forgetDeletions(of: group) { true }
    #expect(try fixture.get(key) == [1])
  }

  @Test func whoGoesByAnotherLayoutGetsNoVote() async throws {
    let descriptor = try await seal([1])
    #expect(await ask(.read, isCurrent: { false }) == nil)
    #expect(await ask(.accept(try ballot(), descriptor), isCurrent: { false }) == nil)
    #expect(try fixture.get(key) == nil)
  }

  /// A file that somebody put there gets what it lacks before the disk votes about it.
  @Test func aFileWithoutAnAttributeIsDescribed() async throws {
    try fixture.directory.write([1, 2], to: "data/values/12/hashme")
    let held = try #require(try await store.held(key))
    #expect(held.hasBytes)
    #expect(held.descriptor.checksum == Checksum.of([1, 2] as [UInt8]))
    #expect(try await store.held(key) == held)
  }

  @Test func aFileThatWasCutVotesButHasNoBytes() async throws {
    let stored = try await fixture.put(key, [1, 2, 3])
    try File(writingPath: fixture.directory.path + "/data/values/12/hashme").truncate(byteCount: 1)
    #expect(
      try await store.held(key) == Held(ballot: stored.ballot, descriptor: Descriptor(stored), hasBytes: false))
  }

  // MARK: Groups

  @Test func aGroupIsToldOfPageByPage() async throws {
    var keys: [Key] = []
    for number in 0..<2000 {
      let key = try Key(text: "key\(number)")
      if key.slot.group == group { keys.append(key) }
    }
    for key in keys { try await fixture.put(key, [1]) }
    keys.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    var told: [Key] = []
    var isLast = false
    while !isLast {
      let page = try await store.held(of: group, behind: told.last, limit: 3) { _ in true }
      told += page.page.map(\.key)
      isLast = page.isLast
      try #require(told.count <= keys.count)
    }
    #expect(told == keys)
    #expect(try await store.held(of: group, behind: nil, limit: 3) { _ in false }.page == [])
  }

  @Test func whatIsPutAsideIsKeptAndNotServed() async throws {
    try await fixture.put(key, [1, 2])
    #expect(try store.setAside(group: group) { _ in false } == 0)
    #expect(try store.setAside(group: group) { _ in true } == 1)
    #expect(try fixture.get(key) == nil)
    let names = try fixture.directory.files(in: "data/aside")
    #expect(names.count == 1)
    let name = try #require(names.first)
    #expect(try fixture.directory.read("data/aside/\(name)") == [1, 2])
    #expect(
      try File(path: fixture.directory.path + "/data/aside/\(name)").attribute("user.kvnode.key", bytesMax: 1024)
        == key.bytes)
  }

  // MARK: Looking

  @Test func whatIsHeldIsToldAtOnce() async throws {
    let absent = try #require(await ask(.read))
    #expect(await registers.readNow(key) { true } == absent)
    try await fixture.put(key, [1])
    let told = try #require(await ask(.read))
    #expect(await registers.readNow(key) { true } == told)
    #expect(await registers.readNow(key) { false } == nil)
  }

  /// To read all of a large value takes longer than others who ask at the same time should wait.
  @Test func aValueOfWhichNothingIsRecordedIsNotReadAmidOthers() async throws {
    try await fixture.put(key, [1])
    let file = try File(writingPath: "\(fixture.directory.path)/data/values/12/hashme")
    try file.removeAttribute(ValueAttribute.name)
    #expect(await registers.readNow(key) { true } == nil)
    let told = try #require(await ask(.read))
    #expect(await registers.readNow(key) { true } == told)
  }

  @Test func thoseWhoLookDoSoTogetherAndNotWhileSomethingIsDone() async throws {
    let turns = KeyTurns()
    let key = key
    #expect(await turns.withLook(at: key) { await turns.withLook(at: key) { true } } == .some(true))
    #expect(await turns.withTurn(of: key) { await turns.withLook(at: key) { true } } == .some(nil))
    // Whoever waits for those who look goes first.
    let (reached, teller) = AsyncStream.makeStream(of: Void.self)
    await turns.withLook(at: key) {
      Task {
        await turns.withTurn(of: key) {}
        teller.finish()
      }
      while await turns.withLook(at: key, { true }) != nil { await Task.yield() }
    }
    for await _ in reached {}
    #expect(await turns.withLook(at: key) { true } == true)
  }

  @Test func requestsAboutOneKeyTakeTurns() async throws {
    let turns = KeyTurns()
    let key = key
    try await withThrowingTaskGroup(of: Int?.self) { group in
      let inside = Counter()
      for _ in 0..<100 {
        group.addTask {
          await turns.withTurn(of: key) {
            let count = inside.enter()
            await Task.yield()
            inside.leave()
            return count
          }
        }
      }
      for try await count in group { #expect(count == 1) }
    }
  }
}

private final class Counter: Sendable {
  private let count = Mutex(0)

  func enter() -> Int {
    count.withLock { count in
      count += 1
      return count
    }
  }

  func leave() { count.withLock { $0 -= 1 } }
}
