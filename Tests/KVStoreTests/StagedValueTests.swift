import Glibc
import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVStore

@Suite struct StagedValueTests {
  private let key: Key

  init() throws { key = try Key(text: "hashme") }

  @Test(arguments: Durability.allCases, [true, false])
  func becomesAPlainFileWithAnAttribute(durability: Durability, statesLength: Bool) async throws {
    let fixture = try StoreFixture(durability: durability)
    var generator = SeededGenerator(round: 0, 1)
    let payload = Payload(byteCount: 3_000_001, &generator)
    var value = try fixture.store.stage(key, byteCount: statesLength ? payload.byteCount : nil)
    var offset = 0
    for piece in generator.pieces(of: payload.byteCount) {
      try value.append(payload.bytes(at: offset, count: piece))
      offset += piece
      #expect(value.byteCount == offset)
    }
    #expect(try fixture.valuePaths() == [])
    let attribute = try await value.commit().attribute
    #expect(try fixture.valuePaths() == ["12/hashme"])
    #expect(try fixture.stagedNames() == [])
    #expect(payload.equals(try fixture.directory.read("data/values/12/hashme")))
    #expect(attribute.valueBytes == payload.byteCount)
    #expect(attribute.checksum == Checksum.of(payload.bytes))
    let file = try File(path: fixture.directory.path + "/data/values/12/hashme")
    #expect(try file.attribute("user.kvnode", bytesMax: 100) == attribute.encoded)
  }

  @Test func anEmptyValueHasAnAttributeToTheByte() async throws {
    let fixture = try StoreFixture()
    let attribute = try await fixture.put(key, [], states: true)
    let file = try File(path: fixture.directory.path + "/data/values/12/hashme")
    let bytes = try #require(try file.attribute("user.kvnode", bytesMax: 100))
    let time = (0..<8).map { UInt8(truncatingIfNeeded: attribute.committedAtNanoseconds >> (56 - 8 * $0)) }
    // XXH3-128 of no bytes, in canonical order.
    let checksum: [UInt8] = [
      0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8, 0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f,
    ]
    let counter = (0..<8).map { UInt8(truncatingIfNeeded: attribute.ballot.counter >> (56 - 8 * $0)) }
    #expect(
      bytes == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0] + time + checksum + [0, 0] + counter + counter + [0, 0] + [0])
    #expect(try fixture.get(key) == [])
  }

  /// The paths of the files that this process has open and nobody can open any more.
  private func nameless(in directory: String) async throws -> [String] {
    try Directory(path: "/proc/self/fd").names().compactMap { number in
      var target = [CChar](repeating: 0, count: Int(PATH_MAX))
      guard readlink("/proc/self/fd/\(number)", &target, target.count - 1) > 0 else { return nil }
      let path = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return path.hasPrefix(directory) && path.hasSuffix(" (deleted)") ? path : nil
    }
  }

  @Test(arguments: [(1 << 20, 1), ((1 << 20) - 1, 0)])
  func keepsALargeValueOpenThatItReplacesAndNoSmallOne(byteCount: Int, openCount: Int) async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    try await fixture.put(key, [UInt8](repeating: 1, count: byteCount))
    try await {
      var value = try fixture.store.stage(key, byteCount: 1)
      try value.append([2])
      #expect(try await value.commit().created == false)
      #expect(try await nameless(in: fixture.directory.path).count == openCount)
    }()
    #expect(try await nameless(in: fixture.directory.path) == [])
    #expect(try fixture.get(key) == [2])
  }

  @Test func leavesNothingBehindWhenItGoesAwayUncommitted() async throws {
    let fixture = try StoreFixture()
    try await fixture.put(key, [1])
    try {
      var value = try fixture.store.stage(key, byteCount: 1000)
      try value.append([2, 3])
      #expect(try fixture.stagedNames().count == 1)
    }()
    #expect(try fixture.stagedNames() == [])
    #expect(try fixture.get(key) == [1])
  }

  @Test func reservesSpaceBeforeTheBytesCome() async throws {
    let fixture = try StoreFixture()
    let byteCount = 3 << 20
    var status = stat()
    let value = try fixture.store.stage(key, byteCount: byteCount)
    let name = try #require(try fixture.stagedNames().first)
    #expect(stat(fixture.directory.path + "/data/staging/" + name, &status) == 0)
    #expect(Int(status.st_blocks) * 512 >= byteCount)
    #expect(value.byteCount == 0)
  }

  @Test func takesNoMoreSpaceThanTheValueNeeds() async throws {
    let fixture = try StoreFixture()
    try await fixture.put(key, [UInt8](repeating: 7, count: 100_000), states: true)
    let file = try File(path: fixture.directory.path + "/data/values/12/hashme")
    #expect(try file.status().byteCount == 100_000)
  }

  @Test func failsWhereTheDiskIsFull() async throws {
    let fixture = try StoreFixture()
    // A length that no file system has room for, and one that no file can have.
    for byteCount in [1 << 50, Int.max] {
      let error = #expect(throws: StoreError.self) { _ = try fixture.store.stage(key, byteCount: byteCount) }
      guard case .full = error else {
        Issue.record("not refused as full: \(String(describing: error))")
        continue
      }
    }
    #expect(try fixture.stagedNames() == [])
  }

  @Test func twoValuesOfOneKeyAreStagedApart() async throws {
    let fixture = try StoreFixture()
    var first = try fixture.store.stage(key, byteCount: nil)
    var second = try fixture.store.stage(key, byteCount: nil)
    try first.append([1])
    try second.append([2])
    try first.append([1])
    _ = try await second.commit()
    #expect(try fixture.get(key) == [2])
    _ = try await first.commit()
    #expect(try fixture.get(key) == [1, 1])
  }
}
