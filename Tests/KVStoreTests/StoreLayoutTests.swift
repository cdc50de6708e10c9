import Glibc
import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVStore

@Suite struct StoreLayoutTests {
  private func error(_ directory: TemporaryDirectory) -> String? {
    do {
      _ = try StoreFixture(directory)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func makesTheLayoutToTheByte() async throws {
    let fixture = try StoreFixture()
    let data = try Directory(path: fixture.directory.path + "/data")
    #expect(try data.names().sorted() == ["format", "id", "index", "node", "quarantine", "staging", "values"])
    #expect(try fixture.directory.read("data/format") == Array("kvnode 1\n".utf8))
    let shards = try Directory(path: fixture.directory.path + "/data/values").names().sorted()
    let expected = (0..<256).map { String($0 + 256, radix: 16).dropFirst() }
    #expect(shards == expected.map(String.init))
    #expect(try fixture.stagedNames() == [])
    #expect(try fixture.valuePaths() == [])
  }

  @Test func opensADirectoryAgainAndKeepsItsValues() async throws {
    let directory = try TemporaryDirectory()
    let key = try Key(text: "kept")
    try await StoreFixture(directory).put(key, [1, 2, 3])
    #expect(try StoreFixture(directory).get(key) == [1, 2, 3])
  }

  @Test func emptiesStaging() async throws {
    let directory = try TemporaryDirectory()
    _ = try StoreFixture(directory)
    try directory.write([1], to: "data/staging/17")
    try directory.write([2], to: "data/staging/left over")
    let fixture = try StoreFixture(directory)
    #expect(try fixture.stagedNames() == [])
    try await fixture.put(try Key(text: "after"), [3])
    #expect(try fixture.stagedNames() == [])
  }

  @Test func leavesTheQuarantineAlone() async throws {
    let directory = try TemporaryDirectory()
    _ = try StoreFixture(directory)
    try directory.write([1], to: "data/quarantine/damaged")
    _ = try StoreFixture(directory)
    #expect(try directory.read("data/quarantine/damaged") == [1])
  }

  @Test func isUsedByOneStoreAtATime() async throws {
    let fixture = try StoreFixture()
    let path = fixture.directory.path + "/data"
    #expect(error(fixture.directory) == "data directory \(path): another kvnode is using it")
    // The loser must not have emptied the winner's staging, nor taken its lock away.
    var value = try fixture.store.stage(try Key(text: "k"), byteCount: nil)
    #expect(error(fixture.directory) != nil)
    try value.append([1])
    _ = try await value.commit()
    #expect(try fixture.get(try Key(text: "k")) == [1])
  }

  @Test(arguments: [("kvnode 2\n", "kvnode 2\\x0a"), ("", ""), ("kvnode 1\n\n", "kvnode 1\\x0a\\x0a")])
  func refusesAnUnknownFormat(content: String, shown: String) async throws {
    let directory = try TemporaryDirectory()
    _ = try StoreFixture(directory)
    try directory.write(Array(content.utf8), to: "data/format")
    let path = directory.path + "/data"
    #expect(error(directory) == "data directory \(path): its file 'format' says '\(shown)', expected 'kvnode 1'")
    #expect(try directory.read("data/format") == Array(content.utf8))
  }

  @Test func survivesACrashWhileTheFormatWasWritten() async throws {
    let directory = try TemporaryDirectory()
    _ = try Directory(path: directory.path + "/data", making: true)
    try directory.write(Array("kvn".utf8), to: "data/format.new")
    let fixture = try StoreFixture(directory)
    #expect(try fixture.directory.read("data/format") == Array("kvnode 1\n".utf8))
    #expect(try Directory(path: directory.path + "/data").names().contains("format.new") == false)
  }

  @Test func saysWhyAPathCannotBeUsed() async throws {
    let directory = try TemporaryDirectory()
    try directory.write([], to: "data")
    #expect(error(directory) == "data directory \(directory.path)/data: open: Not a directory")
    let missing = directory.path + "/missing/data"
    #expect(throws: StoreOpenError.self) {
      try Store(path: missing, durability: .full, minimumFree: .bytes(0))
    }
  }

  @Test func doesNotFollowASymbolicLinkInPlaceOfItsDirectories() async throws {
    let directory = try TemporaryDirectory()
    _ = try Directory(path: directory.path + "/data", making: true)
    _ = try Directory(path: directory.path + "/elsewhere", making: true)
    #expect(symlink("../elsewhere", directory.path + "/data/values") == 0)
    #expect(error(directory) != nil)
    #expect(try Directory(path: directory.path + "/elsewhere").names() == [])
  }
}
