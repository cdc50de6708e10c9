import Glibc
import KVCore
import KVHTTP
import KVLinux
import Testing
import TestSupport

@testable import KVStore

@Suite struct StoreTests {
  private let key: Key

  init() throws { key = try Key(text: "hashme") }

  @Test(arguments: [
    ("hashme", "12/hashme"), ("hashmetoo", "c7/hashmetoo"), ("/", "%2F"), ("..", "%2E."), (".hidden", "%2Ehidden"),
    ("a b%", "a%20b%25"), ("schlüssel", "schl%C3%BCssel"),
  ])
  func escapesKeysInPaths(text: String, ending: String) async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    let key = try Key(text: text)
    try await fixture.put(key, Array(text.utf8))
    let paths = try fixture.valuePaths()
    #expect(paths.count == 1)
    #expect(paths.first?.hasSuffix(ending) == true)
    #expect(paths.first?.utf8.count == ending.utf8.count + (ending.contains("/") ? 0 : 3))
    #expect(try fixture.get(key) == Array(text.utf8))
    #expect(try await fixture.store.delete(key))
    #expect(try fixture.valuePaths() == [])
  }

  @Test func keepsEveryKeyApart() async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    var generator = SeededGenerator(round: 0, 2)
    var keys: Set<Key> = []
    while keys.count < 200 {
      let byteCount = Int.random(in: 1...Key.bytesMax, using: &generator)
      keys.insert(try Key((0..<byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }))
    }
    for key in keys { try await fixture.put(key, key.bytes) }
    for key in keys { #expect(try fixture.get(key) == key.bytes) }
    for key in keys { #expect(try await fixture.store.delete(key)) }
    #expect(try fixture.valuePaths() == [])
  }

  @Test func aCommitReplaces() async throws {
    let fixture = try StoreFixture()
    try await fixture.put(key, [UInt8](repeating: 1, count: 1000))
    try await fixture.put(key, [2])
    #expect(try fixture.get(key) == [2])
    #expect(try fixture.valuePaths() == ["12/hashme"])
  }

  private func put(
    _ bytes: [UInt8], repeating token: RequestToken?, if condition: WriteCondition = .none, _ fixture: StoreFixture
  ) async throws -> StagedValue.Commit {
    var value = try fixture.store.stage(key, byteCount: nil)
    value.request = token
    try value.append(bytes)
    return try await value.commit(if: condition)
  }

  @Test func whatIsRepeatedIsStoredOnceWhileItIsThere() async throws {
    let fixture = try StoreFixture()
    let token = RequestToken(number: 7)
    let now = HTTPDate(secondsSince1970: 0)
    let absent = WriteCondition(try Preconditions(["If-None-Match": "*"], now: now), for: .put, repeating: token)
    let first = try await put([1], repeating: token, if: absent, fixture)
    #expect(first.created == true)
    #expect(first.attribute.request == token)
    try fixture.store.check(absent, key)
    let second = try await put([1], repeating: token, if: absent, fixture)
    #expect(second == StagedValue.Commit(attribute: first.attribute, created: nil))
    await #expect(throws: StoreError.repeatedOtherwise) { try await put([2], repeating: token, fixture) }
    #expect(try fixture.get(key) == [1])
    #expect(try fixture.stagedNames() == [])
    // Once another value is in between it is stored again, if its condition holds.
    try await fixture.put(key, [3])
    await #expect(throws: StoreError.preconditionFailed) {
      try await put([1], repeating: token, if: absent, fixture)
    }
    #expect(try await put([1], repeating: token, fixture).created == false)
  }

  @Test func deletesOnce() async throws {
    let fixture = try StoreFixture()
    #expect(try await fixture.store.delete(key) == false)
    try await fixture.put(key, [1])
    #expect(try await fixture.store.delete(key))
    #expect(try await fixture.store.delete(key) == false)
    #expect(try fixture.get(key) == nil)
  }

  @Test func readersFinishWhatTheyHaveOpened() async throws {
    let fixture = try StoreFixture()
    try await fixture.put(key, [1, 2, 3])
    guard let first = try fixture.store.open(key) else {
      Issue.record("absent")
      return
    }
    try await fixture.put(key, [4])
    guard let second = try fixture.store.open(key) else {
      Issue.record("absent")
      return
    }
    #expect(try await fixture.store.delete(key))
    #expect(try first.file.contents(bytesMax: first.head.byteCount) == [1, 2, 3])
    #expect(try second.file.contents(bytesMax: second.head.byteCount) == [4])
    #expect(try fixture.get(key) == nil)
  }

  @Test func aReserveLargerThanTheFileSystemRefusesPutAndNotDelete() async throws {
    let directory = try TemporaryDirectory()
    try await StoreFixture(directory).put(key, [1])
    let fixture = try StoreFixture(directory, minimumFree: .bytes(1 << 60))
    for byteCount in [nil, 0, 1] as [Int?] {
      let error = #expect(throws: StoreError.self) { _ = try fixture.store.stage(key, byteCount: byteCount) }
      guard case .full(let detail) = error else {
        Issue.record("not refused as full: \(String(describing: error))")
        continue
      }
      #expect(detail.contains("\(1 << 60) are reserved (MinFree=)"))
      #expect(detail.contains("1 more are needed") == (byteCount == 1))
    }
    #expect(try fixture.get(key) == [1])
    #expect(try await fixture.store.delete(key))
    #expect(try fixture.stagedNames() == [])
  }

  @Test func theReserveIsKeptAmidAValueOfUnknownLength() async throws {
    let directory = try TemporaryDirectory()
    let free = try StoreFixture(directory).store.space().freeBytes
    let fixture = try StoreFixture(directory, durability: .relaxed, minimumFree: .bytes(free - 48 << 20))
    let chunk = [UInt8](repeating: 5, count: 1 << 20)
    var value = try fixture.store.stage(key, byteCount: nil)
    let error = #expect(throws: StoreError.self) {
      // Others use the same disk, so that it is not known how far it goes.
      for _ in 0..<1024 { try value.append(chunk) }
    }
    guard case .full = error else {
      Issue.record("not refused as full: \(String(describing: error))")
      return
    }
    #expect(value.byteCount.isMultiple(of: 16 << 20))
    #expect(try fixture.get(key) == nil)
  }

  @Test func turnsReadOnlyWhenASyncFails() async throws {
    let fixture = try StoreFixture()
    try await fixture.put(key, [1])
    var staged = try fixture.store.stage(key, byteCount: nil)
    try staged.append([2])
    let failure = SystemError(call: "fsync", code: EIO)
    #expect(fixture.store.syncs.failed(failure) == failure)
    #expect(fixture.store.readOnlyReason == "fsync: Input/output error")
    let readOnly = StoreError.readOnly(reason: "fsync: Input/output error")
    #expect(throws: readOnly) { _ = try fixture.store.stage(key, byteCount: nil) }
    await #expect(throws: readOnly) { _ = try await staged.commit() }
    await #expect(throws: readOnly) { _ = try await fixture.store.delete(key) }
    #expect(throws: readOnly) { try fixture.store.probe() }
    #expect(try fixture.get(key) == [1])
    // A later sync that succeeds proves nothing about what the first one lost.
    try await fixture.store.syncs.sync(fixture.store.layout.values)
    #expect(fixture.store.readOnlyReason == "fsync: Input/output error")
    #expect(
      readOnly.failure(.put, key)
        == Failure(.unavailable, "PUT hashme: the store is read-only: fsync: Input/output error"))
  }

  @Test func theFirstReasonForBeingReadOnlyIsKept() async throws {
    let fixture = try StoreFixture()
    for code in [EIO, ENOSPC] {
      _ = fixture.store.syncs.failed(SystemError(call: "fsync", code: code))
    }
    #expect(fixture.store.readOnlyReason == "fsync: Input/output error")
  }

  @Test func aProbeLeavesNothingBehind() async throws {
    let fixture = try StoreFixture()
    try fixture.store.probe()
    try fixture.store.probe()
    #expect(try fixture.stagedNames() == [])
    #expect(fixture.store.readOnlyReason == nil)
  }
}
