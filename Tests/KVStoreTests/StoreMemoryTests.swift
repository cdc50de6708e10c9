import Glibc
import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVStore

@Suite struct StoreMemoryTests {
  private let directory: TemporaryDirectory
  private var dataPath: String { "\(directory.path)/data" }
  private var statePath: String { "\(directory.path)/state" }
  private var marker: String { "\(statePath)/store" }

  init() throws { directory = try TemporaryDirectory() }

  /// Opens the store as a start of the node does, and closes it; says why not where that is refused.
  private func open(_ name: String = "data") -> String? {
    do {
      _ = try Store(
        path: "\(directory.path)/\(name)", durability: .relaxed, minimumFree: .bytes(0), stateDirectory: statePath)
      return nil
    } catch {
      return "\(error)"
    }
  }

  private func move(_ name: String, to newName: String) throws {
    try Process.rename("\(directory.path)/\(name)", to: "\(directory.path)/\(newName)")
  }

  private func text(_ name: String) throws -> String { String(decoding: try directory.read(name), as: UTF8.self) }

  @Test func aNewStoreGetsAnIdentifierThatItKeeps() throws {
    #expect(open() == nil)
    let identifier = try text("data/id")
    #expect(identifier.wholeMatch(of: /[0-9a-f]{32}\n/) != nil)
    #expect(try text("state/store") == "\(identifier.dropLast()) \(dataPath)\n")
    #expect(open() == nil)
    #expect(try text("data/id") == identifier)
    #expect(open("other") == nil)
    #expect(try text("other/id") != identifier)
  }

  @Test func anEmptyDirectoryInPlaceOfAStoreIsRefusedUntilTheMarkerIsRemoved() throws {
    #expect(open() == nil)
    let identifier = try text("data/id").dropLast()
    try move("data", to: "unmounted")
    _ = try Directory(path: dataPath, making: true)
    let refusal =
      "data directory \(dataPath): holds no store, but had the store \(identifier): mount its disk, or remove \(marker)"
      + " to begin an empty one"
    #expect(open() == refusal)
    // Nothing was made, so that it is refused the next time too.
    #expect(try Directory(path: dataPath).names() == [])
    #expect(open() == refusal)
    try Process.remove(marker)
    #expect(open() == nil)
  }

  @Test func anotherStoreInPlaceOfAStoreIsRefused() throws {
    #expect(open() == nil)
    let known = try text("data/id").dropLast()
    try move("data", to: "first")
    _ = try Directory(path: "\(directory.path)/data", making: true)
    try directory.write(Array("kvnode 1\n".utf8), to: "data/format")
    #expect(open()?.contains("holds the store without an id, but had the store \(known)") == true)
    try directory.write(Array("0123456789abcdef0123456789abcdef\n".utf8), to: "data/id")
    #expect(
      open()
        == "data directory \(dataPath): holds the store 0123456789abcdef0123456789abcdef, but had the store \(known):"
        + " mount the right disk, or remove \(marker) to serve this one")
    try move("data", to: "second")
    try move("first", to: "data")
    #expect(open() == nil)
  }

  @Test func aStoreFromBeforeGetsAnIdentifierAndIsRemembered() throws {
    _ = try Directory(path: "\(directory.path)/data", making: true)
    try directory.write(Array("kvnode 1\n".utf8), to: "data/format")
    #expect(open() == nil)
    #expect(try text("state/store") == "\(try text("data/id").dropLast()) \(dataPath)\n")
  }

  @Test func anotherDataDirectoryIsRememberedInstead() throws {
    #expect(open() == nil)
    #expect(open("other") == nil)
    #expect(try text("state/store").hasSuffix(" \(directory.path)/other\n"))
  }

  @Test(arguments: [
    "", "\n", "0123456789abcdef0123456789abcdef\n", "xyz /data\n", "0123456789ABCDEF0123456789ABCDEF /data\n",
  ])
  func aMarkerThatCannotBeReadIsRefused(content: String) throws {
    _ = try Directory(path: "\(directory.path)/state", making: true)
    try directory.write(Array(content.utf8), to: "state/store")
    #expect(open()?.hasPrefix("\(marker): says '") == true)
    #expect(open()?.hasSuffix("remove it to serve whichever store is there") == true)
  }

  @Test(arguments: ["", "0123", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdeg\n"])
  func anIdentifierThatIsNoneIsRefused(content: String) throws {
    #expect(open() == nil)
    try directory.write(Array(content.utf8), to: "data/id")
    #expect(open()?.contains("its file 'id' says '") == true)
  }
}
