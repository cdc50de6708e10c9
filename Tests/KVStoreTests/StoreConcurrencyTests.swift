import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVStore

@Suite(.hangLimit) struct StoreConcurrencyTests {
  /// Bytes by which a reader tells which writer, and which of its writes, they come from, and that all are there.
  private static func value(writer: UInt8, round: Int) -> [UInt8] {
    let byteCount = 1000 + round * 37 % 70_000
    return [writer, UInt8(truncatingIfNeeded: round)] + [UInt8](repeating: writer, count: byteCount)
  }

  private static func isWhole(_ bytes: [UInt8], byteCount: Int) -> Bool {
    guard let writer = bytes.first, bytes.count == byteCount else { return false }
    return bytes.dropFirst(2).allSatisfy { $0 == writer }
  }

  @Test func concurrentCommitsOfOneKeyLeaveOneOfThemWhole() async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    let key = try Key(text: "contended")
    let rounds = Rounds.count(60)
    try await fixture.put(key, Self.value(writer: 0, round: 0))
    try await withThrowingDiscardingTaskGroup { group in
      for writer in 1...4 as ClosedRange<UInt8> {
        group.addTask(executorPreference: Wire.executor) {
          for round in 0..<rounds {
            let bytes = Self.value(writer: writer, round: round)
            var value = try fixture.store.stage(key, byteCount: round.isMultiple(of: 2) ? bytes.count : nil)
            try value.append(Array(bytes[..<500]))
            await Task.yield()
            try value.append(Array(bytes[500...]))
            _ = try await value.commit()
          }
        }
      }
      for _ in 0..<2 {
        group.addTask(executorPreference: Wire.executor) {
          for _ in 0..<(4 * rounds) {
            guard let value = try fixture.store.open(key) else {
              Issue.record("a key that is only overwritten was absent")
              continue
            }
            let byteCount = value.head.byteCount
            await Task.yield()
            let bytes = try value.file.contents(bytesMax: byteCount + 1)
            #expect(Self.isWhole(bytes, byteCount: byteCount))
            #expect(value.head.checksum == Checksum.of(bytes))
          }
        }
      }
    }
    let left = try #require(try fixture.get(key))
    #expect(Self.isWhole(left, byteCount: left.count))
    #expect(try fixture.valuePaths().count == 1)
    #expect(try fixture.stagedNames() == [])
  }

  @Test func putSurvivesThatDeletePrunesItsDirectories() async throws {
    let fixture = try StoreFixture(durability: .relaxed)
    let rounds = Rounds.count(250)
    // Keys that share all but the last of four directories need keys of one shard.
    let keys = try await Self.longKeysOfOneShard(count: 4)
    try await withThrowingDiscardingTaskGroup { group in
      for key in keys {
        group.addTask(executorPreference: Wire.executor) {
          for round in 0..<rounds {
            let bytes = Self.value(writer: key.bytes[1023], round: round % 10)
            try await fixture.put(key, bytes)
            #expect(try fixture.get(key) == bytes)
            #expect(try await fixture.store.delete(key))
            #expect(try fixture.get(key) == nil)
            if round.isMultiple(of: 7) { await Task.yield() }
          }
        }
      }
    }
    #expect(try fixture.valuePaths() == [])
    #expect(try fixture.stagedNames() == [])
  }

  @Test func deleteTakesEmptyDirectoriesOfLongKeysAway() async throws {
    let fixture = try StoreFixture()
    let keys = try await Self.longKeysOfOneShard(count: 2)
    let path = ValuePath(key: keys[0], slot: keys[0].slot)
    #expect(path.directories.count == 5)
    let shard = fixture.directory.path + "/data/values/" + path.directories[0]
    for key in keys { try await fixture.put(key, [1]) }
    #expect(try Directory(path: shard).names() == [path.directories[1]])
    #expect(try await fixture.store.delete(keys[0]))
    #expect(try fixture.get(keys[1]) == [1])
    #expect(try await fixture.store.delete(keys[1]))
    #expect(try Directory(path: shard).names() == [])
    #expect(try Directory(path: fixture.directory.path + "/data/values").names().count == 256)
  }

  private static func longKeysOfOneShard(count: Int) async throws -> [Key] {
    var keys: [Key] = []
    var number = 0
    while keys.count < count {
      number += 1
      let tail = Array(String(number).utf8)
      let key = try Key([UInt8](repeating: 0x61, count: Key.bytesMax - tail.count) + tail)
      if keys.isEmpty || key.slot.number >> 8 == keys[0].slot.number >> 8 { keys.append(key) }
    }
    return keys
  }
}
