import KVCore
import KVLinux
import Testing

@testable import KVServer

@Suite struct ScrubTests {
  private let directory: TemporaryDirectory
  private let dataDirectory: String
  private let store: Store
  private let key: Key

  init() throws {
    directory = try TemporaryDirectory()
    dataDirectory = directory.path + "/data"
    store = try Store(path: dataDirectory, durability: .relaxed, minimumFree: .bytes(0))
    key = try Key("hashme".utf8)
  }

  private func put(_ key: Key, _ bytes: [UInt8]) throws {
    var value = try store.stage(key, byteCount: bytes.count)
    try value.append(bytes.span.bytes)
    _ = try value.commit()
  }

  /// Damages a value as a disk would: without its name, its inode or its attribute changing.
  private func flip(_ path: String, byte offset: Int) throws {
    let file = try File(writingPath: "\(dataDirectory)/\(path)")
    let bytes = try file.contents(bytesMax: .max)
    try file.write([~bytes[offset]].span.bytes, at: offset)
  }

  private func scrub(repairs: Bool = false) async throws -> (ScrubSummary, [ScrubFinding]) {
    var findings: [ScrubFinding] = []
    let summary = try await Scrub(dataDirectory: dataDirectory, repairs: repairs).run { findings.append($0) }
    return (summary, findings)
  }

  @Test func findsNothingInAnEmptyStore() async throws {
    let (summary, findings) = try await scrub()
    #expect(summary == ScrubSummary())
    #expect(findings == [])
  }

  @Test func countsWhatIsWhole() async throws {
    try put(key, [UInt8](repeating: 7, count: 300_000))
    try put(try Key("empty".utf8), [])
    try put(try Key([UInt8](repeating: 0x2F, count: Key.bytesMax)), [1, 2, 3])
    let (summary, findings) = try await scrub(repairs: true)
    #expect(findings == [])
    #expect(summary.values == 3)
    #expect(summary.bytes == 300_003)
    #expect(summary.damaged == 0)
    #expect(summary.strays == 0)
    #expect(summary.unverified == 0)
  }

  @Test func findsAFlippedByteAndLeavesIt() async throws {
    try put(key, [UInt8](repeating: 7, count: 300_000))
    try flip("values/12/hashme", byte: 299_999)
    let (summary, findings) = try await scrub()
    #expect(summary.damaged == 1)
    #expect(summary.quarantined == 0)
    #expect(findings.map(\.path) == ["values/12/hashme"])
    #expect(findings.first?.key == key)
    #expect(findings.first?.quarantinePath == nil)
    #expect(try directory.files(in: "data/values") == ["12/hashme"])
  }

  @Test func movesWhatIsDamagedToQuarantine() async throws {
    try put(key, [1, 2, 3])
    try put(try Key("whole".utf8), [4])
    try flip("values/12/hashme", byte: 0)
    let (summary, findings) = try await scrub(repairs: true)
    #expect(summary.quarantined == 1)
    let moved = try #require(findings.first?.quarantinePath)
    #expect(moved.hasPrefix("quarantine/hashme."))
    #expect(try directory.read("data/\(moved)") == [254, 2, 3])
    let attribute = try File(path: "\(dataDirectory)/\(moved)").attribute(Quarantine.keyAttributeName, bytesMax: 1024)
    #expect(attribute == key.bytes)
    #expect(throws: StoreError.damaged(detail: "it lies in quarantine/")) { _ = try store.open(key) }
    #expect(try await scrub().0.values == 1)
  }

  @Test func findsAValueCutShort() async throws {
    try put(key, [1, 2, 3])
    try File(writingPath: "\(dataDirectory)/values/12/hashme").truncate(byteCount: 2)
    let (summary, findings) = try await scrub(repairs: true)
    #expect(findings.map(\.fault) == [.length(recordedBytes: 3, foundBytes: 2)])
    #expect(summary.quarantined == 1)
  }

  @Test func leavesAloneWhatHasNoChecksumOrNoKey() async throws {
    try directory.write([1], to: "data/values/12/hashme")
    try directory.write([1], to: "data/values/13/hashme")
    try directory.write([1], to: "data/values/12/a b")
    let (summary, findings) = try await scrub(repairs: true)
    #expect(findings == [])
    #expect(summary.unverified == 1)
    #expect(summary.strays == 2)
    #expect(try directory.files(in: "data/values").count == 3)
  }

  @Test func movesTheLongestNameToo() async throws {
    let key = try Key([UInt8](repeating: 0x20, count: Key.bytesMax))
    try put(key, [1])
    let path = try #require(try directory.files(in: "data/values").first)
    try flip("values/\(path)", byte: 0)
    let (summary, findings) = try await scrub(repairs: true)
    #expect(summary.quarantined == 1)
    #expect(findings.first?.key == key)
    #expect(try directory.files(in: "data/values") == [])
  }

  @Test func aValueInQuarantineIsAnErrorUntilTheKeyIsStoredAnewOrDeleted() async throws {
    try put(key, [1, 2, 3])
    try flip("values/12/hashme", byte: 1)
    #expect(try store.open(try Key("other".utf8)) == nil)
    _ = try await scrub(repairs: true)
    #expect(throws: StoreError.damaged(detail: "it lies in quarantine/")) { _ = try store.open(key) }
    #expect(try store.open(try Key("other".utf8)) == nil)
    try put(key, [4])
    #expect(try store.open(key)?.head.byteCount == 1)
    #expect(try store.delete(key))
    #expect(try store.open(key) == nil)
    #expect(try store.delete(key) == false)
    #expect(try directory.files(in: "data/quarantine").count == 1)
  }

  @Test func aDeleteOfAValueInQuarantineSettlesItForLaterProcessesToo() async throws {
    try put(key, [1, 2, 3])
    try flip("values/12/hashme", byte: 1)
    _ = try await scrub(repairs: true)
    #expect(try store.delete(key))
    #expect(try store.open(key) == nil)
    #expect(try QuarantineIndex().contains(key, in: store.layout.quarantine) == false)
  }

  @Test func refusesADirectoryThatIsNoStore() throws {
    #expect(throws: StoreOpenError.self) { _ = try Scrub(dataDirectory: directory.path, repairs: true) }
    #expect(try directory.files(in: "").filter { $0.hasPrefix("quarantine") } == [])
  }

  @Test func doesNotTakeAValueThatWasStoredAnewMeanwhile() throws {
    try put(key, [1])
    let values = try Directory(path: "\(dataDirectory)/values/12")
    let old = try File(path: "\(dataDirectory)/values/12/hashme")
    let inode = try old.status().inode
    try put(key, [2])
    let quarantine = Quarantine(directory: try Directory(path: "\(dataDirectory)/quarantine"))
    #expect(try quarantine.take("hashme", of: key, in: values, old, inode: inode) == nil)
    #expect(try directory.read("data/values/12/hashme") == [2])
    #expect(try directory.files(in: "data/quarantine") == [])
  }

  /// What happens when a PUT comes between the look and the move.
  @Test(arguments: [false, true])
  func putsBackWhatItMovedByMistake(isStoredOnceMore: Bool) throws {
    try put(key, [2])
    let values = try Directory(path: "\(dataDirectory)/values/12")
    let quarantine = Quarantine(directory: try Directory(path: "\(dataDirectory)/quarantine"))
    try values.rename("hashme", to: "moved", in: quarantine.directory)
    if isStoredOnceMore { try put(key, [3]) }
    #expect(try quarantine.keepOnly(0, "moved", origin: "hashme", in: values) == false)
    #expect(try directory.read("data/values/12/hashme") == (isStoredOnceMore ? [3] : [2]))
    #expect(try directory.files(in: "data/quarantine") == [])
  }
}
