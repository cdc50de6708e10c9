import Glibc
import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVStore

@Suite struct StoredValueTests {
  private let key: Key
  private let fixture: StoreFixture
  private let path: String

  init() throws {
    key = try Key(text: "hashme")
    fixture = try StoreFixture(durability: .relaxed)
    path = fixture.directory.path + "/data/values/12/hashme"
  }

  private func error() -> StoreError? {
    do throws(StoreError) {
      _ = try fixture.store.open(key)
      return nil
    } catch {
      return error
    }
  }

  private func facts() async throws -> (byteCount: Int, checksum: ValueChecksum?)? {
    guard let value = try fixture.store.open(key) else { return nil }
    return (value.head.byteCount, value.head.checksum)
  }

  @Test func absentIsAValueNotAnError() async throws {
    #expect(try fixture.get(key) == nil)
    #expect(try fixture.get(try Key([UInt8](repeating: 0x61, count: 1024))) == nil)
  }

  @Test func knowsLengthTimeAndChecksum() async throws {
    let before = Instant.wallNanoseconds
    let committed = try await fixture.put(key, Array("content".utf8))
    let value = try await #require(try facts())
    #expect(value.byteCount == 7)
    #expect(value.checksum == committed.checksum)
    #expect(value.checksum == Checksum.of(Array("content".utf8)))
    #expect((before...Instant.wallNanoseconds).contains(committed.committedAtNanoseconds))
  }

  @Test(arguments: [0, 1, 6])
  func aTruncatedFileIsDamaged(byteCount: Int) async throws {
    try await fixture.put(key, Array("content".utf8))
    #expect(truncate(path, off_t(byteCount)) == 0)
    #expect(error() == .damaged(detail: "the file has \(byteCount) of 7 bytes"))
  }

  @Test func anExtendedFileIsDamaged() async throws {
    try await fixture.put(key, Array("content".utf8))
    #expect(truncate(path, 8) == 0)
    #expect(error() == .damaged(detail: "the file has 8 of 7 bytes"))
  }

  @Test func aDamagedValueCanBeReplacedAndDeleted() async throws {
    try await fixture.put(key, [1, 2])
    #expect(truncate(path, 1) == 0)
    try await fixture.put(key, [3])
    #expect(try fixture.get(key) == [3])
    #expect(truncate(path, 0) == 0)
    #expect(try await fixture.store.delete(key))
    #expect(try fixture.get(key) == nil)
  }

  @Test func aFileThatCameByOtherMeansIsServedUnverified() async throws {
    try fixture.directory.write([1, 2, 3], to: "data/values/12/hashme")
    let value = try await #require(try facts())
    #expect(value.byteCount == 3)
    #expect(value.checksum == nil)
    #expect(try fixture.get(key) == [1, 2, 3])
  }

  @Test(arguments: [[], [2], [1, 1, 0], [UInt8](repeating: 0xff, count: 34), [UInt8](repeating: 1, count: 100)])
  func anAttributeThatIsNotOursIsAsGoodAsNone(bytes: [UInt8]) async throws {
    try fixture.directory.write([1, 2, 3], to: "data/values/12/hashme")
    try File(path: path).setAttribute(ValueAttribute.name, bytes)
    let value = try await #require(try facts())
    #expect(value.checksum == nil)
    #expect(value.byteCount == 3)
  }

  @Test func whatIsNoRegularFileIsNoValue() async throws {
    #expect(mkdir(path, 0o700) == 0)
    #expect(try fixture.get(key) == nil)
    #expect(rmdir(path) == 0)
    #expect(mkfifo(path, 0o600) == 0)
    #expect(try fixture.get(key) == nil)
  }

  @Test func aSymbolicLinkInPlaceOfAValueIsNotFollowed() async throws {
    try fixture.directory.write(Array("secret".utf8), to: "secret")
    #expect(symlink(fixture.directory.path + "/secret", path) == 0)
    #expect(error() == .failed(SystemError(call: "openat", code: ELOOP)))
    // A PUT replaces the link and leaves what it pointed to alone.
    try await fixture.put(key, [1])
    #expect(try fixture.get(key) == [1])
    #expect(try fixture.directory.read("secret") == Array("secret".utf8))
  }

  @Test func aSymbolicLinkInPlaceOfADirectoryIsNotFollowed() async throws {
    let long = try Key(text: String(repeating: "a", count: 241))
    #expect(mkdir(fixture.directory.path + "/elsewhere", 0o700) == 0)
    let shard = ValuePath(key: long, slot: long.slot).directories[0]
    let link = fixture.directory.path + "/data/values/\(shard)/" + String(repeating: "a", count: 240) + "+"
    #expect(symlink(fixture.directory.path + "/elsewhere", link) == 0)
    await #expect(throws: StoreError.self) { try await fixture.put(long, [1]) }
    #expect(throws: StoreError.self) { _ = try fixture.store.open(long) }
    #expect(try fixture.directory.files(in: "elsewhere") == [])
    #expect(try fixture.stagedNames() == [])
  }
}
