import Glibc
import KVCore
import Testing
import TestSupport

@testable import KVLinux

@Suite struct FileTests {
  private let temporary: TemporaryDirectory

  init() throws { temporary = try TemporaryDirectory() }

  private func create(_ bytes: [UInt8] = []) throws(SystemError) -> File {
    let file = try Directory(path: temporary.path).createFile("file")
    try file.write(bytes.span.bytes, at: 0)
    return file
  }

  private var path: String { temporary.path + "/file" }

  @Test func readsWhatWasWritten() throws {
    let file = try create(Array("0123456789".utf8))
    try file.write("ab".utf8.span.bytes, at: 4)
    try file.write([UInt8]().span.bytes, at: 100)
    #expect(try file.contents(bytesMax: 100) == Array("0123ab6789".utf8))
    var buffer = [UInt8](repeating: 0, count: 4)
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    #expect(try file.read(into: &bytes, at: 8) == 2)
    #expect(try file.read(into: &bytes, at: 10) == 0)
    #expect(Array(buffer.prefix(2)) == Array("89".utf8))
  }

  @Test func aGapIsZeros() throws {
    let file = try create()
    try file.write(([7] as [UInt8]).span.bytes, at: 3)
    #expect(try file.contents(bytesMax: 100) == [0, 0, 0, 7])
  }

  @Test(arguments: [0, 1, 1_048_576, 1_048_577, 2_399_999, 2_400_000, 2_400_001, Int.max])
  func contentsStopAtTheLimit(bytesMax: Int) throws {
    let bytes = Loopback.bytes(2_400_000)
    let file = try create(bytes)
    #expect(try file.contents(bytesMax: bytesMax) == Array(bytes.prefix(bytesMax)))
  }

  @Test func isOpenedByPath() throws {
    _ = try create([1, 2, 3])
    #expect(try File(path: path).contents(bytesMax: 10) == [1, 2, 3])
    let absent = #expect(throws: SystemError.self) { _ = try File(path: path + "-absent") }
    #expect(absent?.isAbsent == true)
    let directory = #expect(throws: SystemError.self) { try File(path: temporary.path).contents(bytesMax: 10) }
    #expect(directory == SystemError(call: "pread", code: EISDIR))
  }

  @Test func cannotBeWrittenWhenOpenForReading() throws {
    _ = try create()
    let file = try File(path: path)
    let error = #expect(throws: SystemError.self) { try file.write(([1] as [UInt8]).span.bytes, at: 0) }
    #expect(error == SystemError(call: "pwrite", code: EBADF))
  }

  @Test func hasAStatus() throws {
    let before = Instant.wallNanoseconds
    let file = try create([1, 2, 3])
    let status = try file.status()
    #expect(status.byteCount == 3)
    #expect(status.isRegular)
    #expect(try File(path: path).status() == status)
    // File systems stamp with the time of the last tick, which is a little behind.
    #expect(status.modifiedAtNanoseconds > before - 1_000_000_000)
    #expect(status.modifiedAtNanoseconds <= Instant.wallNanoseconds)
    let other = try Directory(path: temporary.path).createFile("other").status()
    #expect(other.inode != status.inode)
  }

  @Test func attributesAreKept() throws {
    let file = try create()
    #expect(try file.attribute("user.kvnode", bytesMax: 34) == nil)
    try file.setAttribute("user.kvnode", [1, 0, 255])
    #expect(try file.attribute("user.kvnode", bytesMax: 34) == [1, 0, 255])
    #expect(try file.attribute("user.other", bytesMax: 34) == nil)
    try file.setAttribute("user.kvnode", [2])
    #expect(try File(path: path).attribute("user.kvnode", bytesMax: 1) == [2])
  }

  @Test func anAttributeTooLongIsNone() throws {
    let file = try create()
    try file.setAttribute("user.kvnode", [UInt8](repeating: 7, count: 35))
    #expect(try file.attribute("user.kvnode", bytesMax: 34) == nil)
    #expect(try file.attribute("user.kvnode", bytesMax: 35)?.count == 35)
  }

  @Test func spaceIsReserved() throws {
    let file = try create()
    guard try file.preallocate(byteCount: 1 << 20) else { return }
    #expect(try file.status().byteCount == 1 << 20)
    try file.write(([1] as [UInt8]).span.bytes, at: 0)
    #expect(try file.contents(bytesMax: 2) == [1, 0])
  }

  @Test func spaceThatCannotBeIsADiskFull() throws {
    let file = try create()
    do throws(SystemError) {
      let isReserved = try file.preallocate(byteCount: Int.max)
      #expect(!isReserved)
    } catch {
      #expect(error.isDiskFull, "\(error)")
    }
  }

  @Test func canBeSynced() throws {
    let file = try create(Loopback.bytes(100_000))
    file.startWriteBack(offset: 0, byteCount: 65_536)
    try file.sync()
    #expect(try file.contents(bytesMax: 200_000) == Loopback.bytes(100_000))
  }

  @Test func whatIsDroppedIsNotCached() throws {
    // Larger than the pieces that the kernel keeps or drops as a whole.
    let file = try create([UInt8](repeating: 7, count: 16 << 20))
    try file.sync()
    file.expectSequentialReading()
    func isCached(_ offset: Int) -> Bool { file.cachedBytes(offset..<offset + 4096) != nil }
    #expect(isCached(0))
    file.dropCached(0..<8 << 20)
    #expect(!isCached(0))
    #expect(isCached(15 << 20))
  }
}
