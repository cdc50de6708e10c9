import Glibc
import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVStore

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

  private func put(_ key: Key, _ bytes: [UInt8]) async throws {
    var value = try store.stage(key, byteCount: bytes.count)
    try value.append(bytes.span.bytes)
    _ = try await value.commit()
  }

  /// Damages a value as a disk would: without its name, its inode or its attribute changing.
  private func flip(_ path: String, byte offset: Int) async throws {
    let file = try File(writingPath: "\(dataDirectory)/\(path)")
    let bytes = try file.contents(bytesMax: .max)
    try file.write([~bytes[offset]].span.bytes, at: offset)
  }

  private func scrub(repairs: Bool = false) async throws -> (ScrubSummary, [ScrubFinding]) {
    var findings: [ScrubFinding] = []
    let summary = try await Scrub(dataDirectory: dataDirectory, repairs: repairs).run { event in
      if case .damaged(let finding) = event { findings.append(finding) }
    }
    return (summary, findings)
  }

  @Test func findsNothingInAnEmptyStore() async throws {
    let (summary, findings) = try await scrub()
    #expect(summary == ScrubSummary())
    #expect(findings == [])
  }

  @Test func countsWhatIsWhole() async throws {
    try await put(key, [UInt8](repeating: 7, count: 300_000))
    try await put(try Key("empty".utf8), [])
    try await put(try Key([UInt8](repeating: 0x2F, count: Key.bytesMax)), [1, 2, 3])
    let (summary, findings) = try await scrub(repairs: true)
    #expect(findings == [])
    #expect(summary.values == 3)
    #expect(summary.bytes == 300_003)
    #expect(summary.damaged == 0)
    #expect(summary.strays == 0)
    #expect(summary.unverified == 0)
  }

  @Test func findsAFlippedByteAndLeavesIt() async throws {
    try await put(key, [UInt8](repeating: 7, count: 300_000))
    try await flip("values/12/hashme", byte: 299_999)
    let (summary, findings) = try await scrub()
    #expect(summary.damaged == 1)
    #expect(summary.quarantined == 0)
    #expect(findings.map(\.path) == ["values/12/hashme"])
    #expect(findings.first?.key == key)
    #expect(findings.first?.quarantinePath == nil)
    #expect(try directory.files(in: "data/values") == ["12/hashme"])
  }

  @Test func movesWhatIsDamagedToQuarantine() async throws {
    try await put(key, [1, 2, 3])
    try await put(try Key("whole".utf8), [4])
    try await flip("values/12/hashme", byte: 0)
    let (summary, findings) = try await scrub(repairs: true)
    #expect(summary.quarantined == 1)
    let moved = try #require(findings.first?.quarantinePath)
    #expect(moved.hasPrefix("quarantine/hashme."))
    #expect(try directory.read("data/\(moved)") == [254, 2, 3])
    let attribute = try File(path: "\(dataDirectory)/\(moved)").attribute(
      StoreName.quarantinedKeyAttribute, bytesMax: 1024)
    #expect(attribute == key.bytes)
    #expect(try await isDamaged(key))
    #expect(try await scrub().0.values == 1)
  }

  @Test func findsAValueCutShort() async throws {
    try await put(key, [1, 2, 3])
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
    try await put(key, [1])
    let path = try #require(try directory.files(in: "data/values").first)
    try await flip("values/\(path)", byte: 0)
    let (summary, findings) = try await scrub(repairs: true)
    #expect(summary.quarantined == 1)
    #expect(findings.first?.key == key)
    let mark = try #require(try store.layout.values.status(of: path))
    #expect(mark.byteCount == 0)
  }

  private func isDamaged(_ key: Key) async throws -> Bool {
    do throws(StoreError) {
      _ = try store.open(key)
      return false
    } catch .damaged(let detail) {
      return detail.contains("it lies in quarantine/hashme.")
    }
  }

  @Test func aValueInQuarantineIsAnErrorUntilTheKeyIsStoredAnewOrDeleted() async throws {
    try await put(key, [1, 2, 3])
    try await flip("values/12/hashme", byte: 1)
    _ = try await scrub(repairs: true)
    #expect(try await isDamaged(key))
    let (summary, findings) = try await scrub(repairs: true)
    #expect(summary.lost == 1)
    #expect(summary.values == 0)
    #expect(findings == [])
    try await put(key, [4])
    #expect(try store.open(key)?.head.byteCount == 1)
    #expect(try await scrub().0.lost == 0)
    try await flip("values/12/hashme", byte: 0)
    _ = try await scrub(repairs: true)
    #expect(try await isDamaged(key))
    #expect(try await store.delete(key))
    #expect(try store.open(key) == nil)
    #expect(try directory.files(in: "data/quarantine").count == 2)
  }

  @Test func aDamagedValueOfNoBytesIsAnErrorToo() async throws {
    try await put(key, [])
    let file = try File(writingPath: "\(dataDirectory)/values/12/hashme")
    let recorded = ValueAttribute(
      valueBytes: 0, committedAtNanoseconds: 1, checksum: ValueChecksum(high: 1, low: 2),
      upload: UploadID(member: Member(0), counter: 1), ballot: Ballot(counter: 1, member: Member(0)))
    try file.setAttribute(ValueAttribute.name, recorded.encoded)
    #expect(try await scrub(repairs: true).0.quarantined == 1)
    #expect(try await isDamaged(key))
  }

  @Test func goesOnPastWhatCannotBeLookedAt() async throws {
    try await put(key, [1, 2, 3])
    try await flip("values/12/hashme", byte: 0)
    symlink("hashme", "\(dataDirectory)/values/12/a")
    #expect(rmdir("\(dataDirectory)/values/00") == 0)
    #expect(rmdir("\(dataDirectory)/values/ff") == 0)
    symlink("/nowhere", "\(dataDirectory)/values/00")
    var unchecked: [String] = []
    let summary = try await Scrub(dataDirectory: dataDirectory, repairs: true).run { event in
      if case .unchecked(let path, _) = event { unchecked.append(path) }
    }
    #expect(unchecked == ["values/00", "values/ff"])
    #expect(summary.unchecked == 2)
    #expect(summary.strays == 1)
    #expect(summary.quarantined == 1)
    #expect(try await isDamaged(key))
  }

  @Test(arguments: ["file", "link"])
  func aStrayWithTheNameOfADirectoryHidesNoOther(kind: String) async throws {
    try await put(key, [1, 2, 3])
    for name in ["a+", "z+"] {
      if kind == "file" {
        try directory.write([1], to: "data/values/12/\(name)")
      } else {
        symlink(".", "\(dataDirectory)/values/12/\(name)")
      }
    }
    let (summary, _) = try await scrub()
    #expect(summary.values == 1)
    #expect(summary.strays == 2)
    #expect(summary.unchecked == 0)
  }

  @Test func takesAwayWhatAKilledCheckHasLeft() async throws {
    try await put(key, [])
    let recorded = ValueAttribute(
      valueBytes: 0, committedAtNanoseconds: 1, checksum: ValueChecksum(high: 1, low: 2),
      upload: UploadID(member: Member(0), counter: 1), ballot: Ballot(counter: 1, member: Member(0)))
    try File(writingPath: "\(dataDirectory)/values/12/hashme").setAttribute(ValueAttribute.name, recorded.encoded)
    _ = try await scrub(repairs: true)
    let moved = try directory.files(in: "data/quarantine")
    try directory.write([], to: "data/quarantine/unfinished")
    try directory.write([], to: "data/quarantine/unused")
    let unused = try File(path: "\(dataDirectory)/quarantine/unused")
    try unused.setAttribute(StoreName.markAttribute, Array("unused".utf8))
    _ = try await scrub()
    #expect(try directory.files(in: "data/quarantine").count == 3)
    _ = try await scrub(repairs: true)
    #expect(try directory.files(in: "data/quarantine") == moved)
  }

  @Test func oneCheckRepairsAtATime() async throws {
    let scrub = try Scrub(dataDirectory: dataDirectory, repairs: true)
    #expect(throws: StoreOpenError.self) { _ = try Scrub(dataDirectory: dataDirectory, repairs: true) }
    #expect(try await Scrub(dataDirectory: dataDirectory, repairs: false).run { _ in } == ScrubSummary())
    #expect(try await scrub.run { _ in } == ScrubSummary())
  }

  @Test func aTimeFarInTheFutureIsNoReasonToStop() async throws {
    try await put(key, [1])
    var times = [timespec(tv_sec: 1 << 34, tv_nsec: 0), timespec(tv_sec: 1 << 34, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, "\(dataDirectory)/values/12/hashme", &times, 0) == 0)
    #expect(try store.open(key)?.head.byteCount == 1)
  }

  @Test func refusesADirectoryThatIsNoStore() async throws {
    #expect(throws: StoreOpenError.self) { _ = try Scrub(dataDirectory: directory.path, repairs: true) }
    #expect(try directory.files(in: "").filter { $0.hasPrefix("quarantine") } == [])
  }

  @Test func doesNotTakeAValueThatWasStoredAnewMeanwhile() async throws {
    try await put(key, [1])
    let values = try Directory(path: "\(dataDirectory)/values/12")
    let old = try File(path: "\(dataDirectory)/values/12/hashme")
    try await put(key, [2])
    let quarantine = Quarantine(directory: try Directory(path: "\(dataDirectory)/quarantine"))
    #expect(try quarantine.take("hashme", of: key, in: values, old) == nil)
    #expect(try directory.read("data/values/12/hashme") == [2])
    #expect(try directory.files(in: "data/quarantine") == [])
  }

  /// A check beside a key that is stored anew all the time, now and then damaged: only what is damaged goes away.
  @Test func takesNoValueThatIsWhole() async throws {
    let path = dataDirectory
    try await withThrowingTaskGroup { group in
      group.addTask {
        while !Task.isCancelled {
          do {
            _ = try await Scrub(dataDirectory: path, repairs: true).run { _ in }
          } catch StoreOpenError.beingRepaired {
            // A program that another test starts has the lock of the scrub before for a moment.
          } catch is CancellationError {}
        }
      }
      for number in 0..<401 {
        let bytes = [UInt8](repeating: UInt8(number % 100), count: 100)
        try await put(key, bytes)
        if number % 3 != 0 {
          #expect(try directory.read("data/values/12/hashme") == bytes)
        } else {
          try await flip("values/12/hashme", byte: 0)
          // Now and then the check gets the time that it needs.
          if number % 30 == 0 { try await untilMarked() }
        }
      }
      group.cancelAll()
      try await group.waitForAll()
    }
    let names = try directory.files(in: "data/quarantine")
    #expect(names.count >= 13)
    for name in names {
      let bytes = try directory.read("data/quarantine/\(name)")
      #expect(bytes.first != bytes.last)
    }
  }

  /// Until a mark stands where the value was, at most ten seconds.
  private func untilMarked() async throws {
    for _ in 0..<10_000 where try directory.read("data/values/12/hashme") != [] {
      try await Task.sleep(for: .milliseconds(1))
    }
    #expect(try directory.read("data/values/12/hashme") == [])
  }

  @Test func tellsOfWhatWasMovedAwayEarlier() async throws {
    try await put(key, [1])
    try await flip("values/12/hashme", byte: 0)
    let moved = try #require(try await scrub(repairs: true).1.first?.quarantinePath)
    var events: [ScrubEvent] = []
    let summary = try await Scrub(dataDirectory: dataDirectory, repairs: false).run { events.append($0) }
    #expect(summary.lost == 1)
    #expect(events == [.lost(key, path: "values/12/hashme", quarantinePath: moved)])
  }

  @Test func countsWhatLiesBesideTheShards() async throws {
    for name in ["08x", "stray", "100"] {
      #expect(try Directory(path: "\(dataDirectory)/values").makeDirectory(name))
    }
    #expect(try await scrub().0.strays == 3)
  }

  @Test func doesNotChangeADirectoryThatAnotherProcessHasLocked() async throws {
    try await put(key, [1])
    let other = try Directory(path: "\(dataDirectory)/values/12")
    #expect(try other.lock())
    // The first waits, and the others need not.
    for _ in 0..<50 { await #expect(throws: StoreError.locked(directory: "values/12")) { try await put(key, [2]) } }
    await #expect(throws: StoreError.locked(directory: "values/12")) { try await store.delete(key) }
    #expect(try directory.read("data/values/12/hashme") == [1])
    #expect(try directory.files(in: "data/staging") == [])
    try await put(try Key("elsewhere".utf8), [3])
    _ = consume other
    try await put(key, [2])
    #expect(try await store.delete(key))
  }
}
