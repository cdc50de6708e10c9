import KVCore
import KVHTTP
import KVLinux

/// Reads stored values from the disk and compares them with the checksums that were recorded when they came.
///
/// It may run while another process serves the same directory. A damaged value is moved to `quarantine/` only while its
/// name still leads to the very file that was read: a value that was stored anew meanwhile is another one.
package struct Scrub: ~Copyable, Sendable {
  private let values: Directory
  private let quarantine: Quarantine
  private let repairs: Bool
  private let bytesPerSecondMax: Int?

  /// A scrub of a data directory.
  ///
  /// - Parameters:
  ///   - path: The data directory, as `DataDirectory=` names it.
  ///   - repairs: Whether damaged values are moved to `quarantine/`.
  ///   - bytesPerSecondMax: How fast it reads at most, on the average; nil for as fast as the disk is.
  package init(dataDirectory path: String, repairs: Bool, bytesPerSecondMax: Int? = nil) throws(StoreOpenError) {
    let root = try StoreOpenError.naming(path) { () throws(SystemError) in try Directory(path: path) }
    try DataDirectory.checkFormat(of: root, path)
    let values = try StoreOpenError.naming(path) { () throws(SystemError) in try root.existing(StoreName.values) }
    let directory = try StoreOpenError.naming(path) { () throws(SystemError) in try root.existing(StoreName.quarantine)
    }
    let quarantine = Quarantine(directory: directory)
    if repairs {
      let isClaimed = try StoreOpenError.naming("\(path)/quarantine") { () throws(SystemError) in try quarantine.claim()
      }
      guard isClaimed else { throw .beingRepaired(path: path) }
    }
    self.values = values
    self.quarantine = quarantine
    self.repairs = repairs
    self.bytesPerSecondMax = bytesPerSecondMax
  }

  /// How far a run has got.
  private struct Progress {
    var summary = ScrubSummary()
    var pace: ScrubPace

    /// Goes past what cannot be looked at.
    mutating func leave(_ path: [String], _ error: SystemError, _ report: (ScrubEvent) -> Void) {
      let event = ScrubEvent.unchecked(path: path.joined(separator: "/"), error)
      summary.count(event)
      report(event)
    }
  }

  /// Goes through all values once, and calls `report` with each that is damaged and all that it could not look at. It
  /// blocks on the disk.
  package borrowing func run(_ report: (ScrubEvent) -> Void) async throws(CancellationError) -> ScrubSummary {
    var progress = Progress(pace: ScrubPace(bytesPerSecondMax: bytesPerSecondMax))
    do throws(SystemError) {
      progress.summary.strays = Set(try values.names()).subtracting(ValuePath.shards).count
    } catch {
      progress.leave(["values"], error, report)
    }
    for shard in ValuePath.shards where !Task.isCancelled {
      await visit(shard, &progress, report)
    }
    if Task.isCancelled { throw CancellationError() }
    return progress.summary
  }

  private borrowing func visit(
    _ shard: String, _ progress: inout Progress, _ report: (ScrubEvent) -> Void
  ) async {
    var walk: Walk
    do throws(SystemError) {
      walk = try Walk(values: values, shard: shard)
    } catch {
      return progress.leave(["values", shard], error, report)
    }
    while !Task.isCancelled, let entry = walk.next() {
      switch entry {
      case .unreadable(let path, let error): progress.leave(path, error, report)
      case .value(let key, let place, let name) where ValuePath(key: key, slot: key.slot).directories[0] == shard:
        let path = place.path + [name]
        do throws(SystemError) {
          guard let event = try await check(key, path, in: place.directory, &progress) else { continue }
          progress.summary.count(event)
          report(event)
        } catch {
          progress.leave(path, error, report)
        }
      case .value, .stray: progress.summary.strays += 1
      }
    }
  }

  /// Looks at one value. Nil where nothing is to be said of it, and where it was deleted since the directory was read.
  private borrowing func check(
    _ key: Key, _ path: [String], in directory: borrowing Directory, _ progress: inout Progress
  ) async throws(SystemError) -> ScrubEvent? {
    let name = path[path.count - 1]
    let namedPath = path.joined(separator: "/")
    var inode: UInt?
    do throws(SystemError) {
      guard let found = try directory.status(of: name) else { return nil }
      guard found.isRegular else {
        progress.summary.strays += 1
        return nil
      }
      guard let file = try directory.openFile(name) else { return nil }
      let status = try file.status()
      inode = status.inode
      if let markedName = try Quarantine.markedName(file, status) {
        return .lost(key, path: namedPath, quarantinePath: "quarantine/\(PrintableText.escape(markedName))")
      }
      if status.byteCount == 0, try ValueAttribute.read(file)?.isDeletion == true { return nil }
      let fault = try await fault(of: file, status, &progress)
      progress.summary.values += 1
      progress.summary.bytes += status.byteCount
      guard let fault else { return nil }
      return settle(fault, key, path, in: directory, file, inode: status.inode).map { .damaged($0) }
    } catch  where error.isDiskFault {
      guard !isReplaced(name, in: directory, inode: inode) else { return nil }
      progress.summary.values += 1
      return .damaged(ScrubFinding(key: key, path: namedPath, fault: .unreadable(error)))
    }
  }

  /// Whether the name leads to another file by now, or to none. A disk that does not tell has not replaced anything.
  private borrowing func isReplaced(_ name: String, in directory: borrowing Directory, inode: UInt?) -> Bool {
    guard let inode else { return false }
    do throws(SystemError) { return try directory.status(of: name)?.inode != inode } catch { return false }
  }

  private borrowing func fault(
    of file: borrowing File, _ status: File.Status, _ progress: inout Progress
  ) async throws(SystemError) -> ScrubFinding.Fault? {
    guard let attribute = try ValueAttribute.read(file) else {
      progress.summary.unverified += 1
      return nil
    }
    guard attribute.valueBytes == status.byteCount else {
      return .length(recordedBytes: attribute.valueBytes, foundBytes: status.byteCount)
    }
    guard let found = try await checksum(of: file, &progress.pace) else { return nil }
    return found == attribute.checksum ? nil : .checksum(recorded: attribute.checksum, found: found)
  }

  /// The checksum of the file as it is on the disk, or nil if the task was cancelled.
  private borrowing func checksum(
    of file: borrowing File, _ pace: inout ScrubPace
  ) async throws(SystemError) -> ValueChecksum? {
    let checksum = Checksum()
    var offset = 0
    // What the kernel still holds of the file may be better than what the disk has; and a scrub leaves its memory
    // to others.
    file.dropCached()
    defer { file.dropCached() }
    while true {
      let count = try ThreadBuffer.withBytes { bytes throws(SystemError) in
        let count = try file.read(into: &bytes, at: offset)
        checksum.update(bytes.bytes.extracting(first: count))
        return count
      }
      if count == 0 { return checksum.value }
      offset += count
      guard await pace.moved(count) else { return nil }
    }
  }

  /// What is to be said of a damaged file, or nil where its name leads to another file by now.
  private borrowing func settle(
    _ fault: ScrubFinding.Fault, _ key: Key, _ path: [String], in directory: borrowing Directory,
    _ file: borrowing File, inode: UInt
  ) -> ScrubFinding? {
    let name = path[path.count - 1]
    var finding = ScrubFinding(key: key, path: path.joined(separator: "/"), fault: fault)
    do throws(SystemError) {
      guard repairs else { return try directory.status(of: name)?.inode == inode ? finding : nil }
      guard let moved = try quarantine.take(name, of: key, in: directory, file) else { return nil }
      finding.quarantinePath = "quarantine/\(moved)"
      try quarantine.directory.sync()
      try directory.sync()
    } catch {
      finding.moveError = error
    }
    return finding
  }
}

extension StoreOpenError {
  /// Runs a call whose error is about a data directory.
  fileprivate static func naming<Result: ~Copyable>(
    _ path: String, _ call: () throws(SystemError) -> Result
  ) throws(StoreOpenError) -> Result {
    try translatingError({ StoreOpenError.unusable(path: path, $0) }, call)
  }
}

extension Directory {
  /// Opens a directory in this one that must be there.
  fileprivate func existing(_ name: String) throws(SystemError) -> Directory {
    guard let directory = try directory(name) else { throw .absent(call: "openat") }
    return directory
  }
}
