import Glibc
import Testing
import TestSupport

@testable import KVLinux

@Suite struct DirectoryTests {
  private let temporary: TemporaryDirectory

  init() throws { temporary = try TemporaryDirectory() }

  private func open() throws(SystemError) -> Directory { try Directory(path: temporary.path) }

  private func write(_ text: String, to name: String, in directory: borrowing Directory) throws(SystemError) {
    try directory.createFile(name).write(text.utf8.span.bytes, at: 0)
  }

  private func text(of name: String, in directory: borrowing Directory) throws(SystemError) -> String? {
    try directory.contents(of: name, bytesMax: 100).map { String(decoding: $0, as: UTF8.self) }
  }

  private func code(_ call: () throws(SystemError) -> Void) -> CInt? {
    do throws(SystemError) {
      try call()
      return nil
    } catch {
      return error.code
    }
  }

  @Test func isMadeWhereAsked() throws {
    let path = temporary.path + "/made"
    #expect(code { () throws(SystemError) in _ = try Directory(path: path) } == ENOENT)
    _ = try Directory(path: path, making: true)
    _ = try Directory(path: path, making: true)
    _ = try Directory(path: path)
    let error = #expect(throws: SystemError.self) { _ = try Directory(path: path + "/a/b", making: true) }
    #expect(error == SystemError(call: "mkdir", code: ENOENT))
  }

  @Test func aFileIsNoDirectory() throws {
    let directory = try open()
    try write("x", to: "file", in: directory)
    #expect(code { () throws(SystemError) in _ = try Directory(path: temporary.path + "/file") } == ENOTDIR)
    #expect(code { () throws(SystemError) in _ = try directory.directory("file") } == ENOTDIR)
  }

  @Test func makesAndOpensDirectories() throws {
    let directory = try open()
    #expect(try directory.directory("a") == nil)
    #expect(try directory.makeDirectory("a"))
    #expect(try !directory.makeDirectory("a"))
    try write("x", to: "file", in: try directory.makeAndOpen("a"))
    #expect(try text(of: "file", in: directory.makeAndOpen("a")) == "x")
    try write("y", to: "file", in: directory.makeAndOpen("b"))
    #expect(try directory.names().sorted() == ["a", "b"])
  }

  @Test func followsNoSymbolicLink() throws {
    let directory = try open()
    _ = try directory.makeDirectory("a")
    try write("x", to: "file", in: directory)
    for (target, name) in [("a", "to-directory"), ("file", "to-file"), ("nothing", "dangling")] {
      try #require(symlinkat(target, directory.descriptor.number, name) == 0)
    }
    #expect(code { () throws(SystemError) in _ = try directory.openFile("to-file") } == ELOOP)
    #expect(code { () throws(SystemError) in _ = try directory.openFile("dangling") } == ELOOP)
    #expect(code { () throws(SystemError) in _ = try directory.directory("to-directory") } == ENOTDIR)
    #expect(code { () throws(SystemError) in _ = try directory.createFile("dangling") } == EEXIST)
    #expect(try directory.openFile("nothing") == nil)
  }

  @Test func createsAFileOnce() throws {
    let directory = try open()
    try write("first", to: "file", in: directory)
    #expect(code { () throws(SystemError) in _ = try directory.createFile("file") } == EEXIST)
    #expect(try text(of: "file", in: directory) == "first")
  }

  @Test func absentFilesAreNoErrors() throws {
    let directory = try open()
    #expect(try directory.openFile("absent") == nil)
    #expect(try directory.contents(of: "absent", bytesMax: 10) == nil)
    #expect(try !directory.removeFile("absent"))
    #expect(try !directory.removeDirectory("absent"))
  }

  @Test(.timeLimit(.minutes(10))) func aFIFODoesNotBlock() throws {
    let directory = try open()
    try #require(mkfifoat(directory.descriptor.number, "fifo", 0o600) == 0)
    let isRegular = try directory.openFile("fifo")?.status().isRegular
    #expect(isRegular == false)
  }

  @Test func aDirectoryIsNoRegularFile() throws {
    let directory = try open()
    _ = try directory.makeDirectory("a")
    let isRegular = try directory.openFile("a")?.status().isRegular
    #expect(isRegular == false)
  }

  @Test func renameReplacesAtOnce() throws {
    let directory = try open()
    let other = try directory.makeAndOpen("other")
    try write("old", to: "file", in: other)
    try write("new", to: "staged", in: directory)
    guard let reader = try other.openFile("file") else {
      Issue.record("the file is not there")
      return
    }
    try directory.rename("staged", to: "file", in: other)
    #expect(try text(of: "file", in: other) == "new")
    #expect(try reader.contents(bytesMax: 10) == Array("old".utf8))
    #expect(try directory.openFile("staged") == nil)
    #expect(code { () throws(SystemError) in try directory.rename("staged", to: "file", in: other) } == ENOENT)
  }

  @Test func removesFiles() throws {
    let directory = try open()
    try write("x", to: "file", in: directory)
    #expect(try directory.removeFile("file"))
    #expect(try !directory.removeFile("file"))
    _ = try directory.makeDirectory("a")
    #expect(code { () throws(SystemError) in _ = try directory.removeFile("a") } == EISDIR)
  }

  @Test func removesOnlyEmptyDirectories() throws {
    let directory = try open()
    let inner = try directory.makeAndOpen("a")
    try write("x", to: "file", in: inner)
    #expect(try !directory.removeDirectory("a"))
    _ = try inner.removeFile("file")
    #expect(try directory.removeDirectory("a"))
    #expect(try !directory.removeDirectory("a"))
    try write("x", to: "file", in: directory)
    #expect(code { () throws(SystemError) in _ = try directory.removeDirectory("file") } == ENOTDIR)
  }

  @Test func isLockedByOneAtATime() throws {
    let second = try open()
    try lockAndRelease(second)
    #expect(try second.lock())
  }

  private func lockAndRelease(_ second: borrowing Directory) throws {
    let first = try open()
    #expect(try first.lock())
    #expect(try first.lock())
    #expect(try !second.lock())
    // What has been used last lives longest: the lock is held until here.
    #expect(try first.names() == [])
  }

  @Test func namesAreAllThere() throws {
    let directory = try open()
    let names = (0..<700).map { "name-\($0)" } + [".hidden", "..almost", "%2E", String(repeating: "n", count: 255)]
    for name in names { _ = try directory.createFile(name) }
    for _ in 0..<2 { #expect(try directory.names().sorted() == names.sorted()) }
  }

  @Test func contentsStopAtTheLimit() throws {
    let directory = try open()
    try write("0123456789", to: "file", in: directory)
    #expect(try directory.contents(of: "file", bytesMax: 4) == Array("0123".utf8))
    #expect(try directory.contents(of: "file", bytesMax: 11) == Array("0123456789".utf8))
  }

  @Test func knowsTheSpaceOfItsFileSystem() throws {
    let space = try open().space()
    #expect(space.totalBytes > 0)
    #expect((0...space.totalBytes).contains(space.freeBytes))
  }

  @Test func canBeSynced() throws {
    try open().sync()
  }
}
