import KVCore
import KVHTTP
import KVLinux
import Synchronization

/// The values that this node keeps, one plain file each. docs/value-format.md specifies the layout.
///
/// A value is staged where no reader sees it and committed by one rename, so that a reader sees the old value
/// or the new one, whole. All calls may block on the disk: they belong on the disk threads.
package final class Store: Sendable {
  private struct State {
    var stagedCount: UInt = 0
    var readOnlyReason: String?
    var damagedCount = 0
    var quarantinedCount = 0
    /// The shards in which another process has held a directory's lock for longer than is waited for.
    var lockedShards: Set<Int> = []
  }

  /// How often a commit makes its directories anew because a DEL took them away meanwhile.
  private static let directoryAttemptsMax = 16
  /// From which size on a file is freed when no lock is held.
  private static let keptOpenBytesMin = 1 << 20

  package let layout: StoreLayout
  package let durability: Durability
  private let minimumFree: FreeSpaceReserve
  package let usage = StoreUsage()
  private let locks = CommitLocks()
  private let state = Mutex(State())

  /// Opens the data directory, makes what is missing in it and empties `staging/`.
  package init(path: String, durability: Durability, minimumFree: FreeSpaceReserve) throws(StoreOpenError) {
    layout = try StoreLayout.open(path: path)
    self.durability = durability
    self.minimumFree = minimumFree
  }

  /// Begins a value. Its length, where known, is reserved on the disk at once.
  package func stage(_ key: Key, byteCount: Int?) throws(StoreError) -> StagedValue {
    try checkWritable()
    try checkSpace(for: byteCount ?? 0)
    let number = state.withLock { state in
      state.stagedCount += 1
      return state.stagedCount
    }
    var value = try StagedValue(key: key, name: String(number), store: self)
    if let byteCount { try value.reserve(byteCount: byteCount) }
    return value
  }

  /// Opens a key's value for reading, or nil where there is none. An overwritten or deleted value stays
  /// readable for those who have opened it.
  package func open(_ key: Key) throws(StoreError) -> StoredValue? {
    let path = ValuePath(key: key, slot: key.slot)
    let opened = try translatingError(StoreError.failed) { () throws(SystemError) in
      try directory(at: path.directories[...])
    }
    guard let directory = opened else { return nil }
    return try value(path.fileName, in: directory)
  }

  /// `open` where it takes no disk. Nil says nothing: there may be a value all the same.
  package func openCached(_ key: Key) -> StoredValue? {
    let path = ValuePath(key: key, slot: key.slot)
    guard let file = layout.values.openCachedFile(path.directories + [path.fileName]),
      let status = try? file.status(), status.isRegular
    else { return nil }
    return try? StoredValue(reading: file, status)
  }

  /// Removes a key's value, durably; false where there was none.
  package func delete(_ key: Key, if condition: WriteCondition = .none) throws(StoreError) -> Bool {
    try checkWritable()
    let path = ValuePath(key: key, slot: key.slot)
    let opened = try translatingError(StoreError.failed) { () throws(SystemError) in
      try directory(at: path.directories[...])
    }
    guard let directory = opened else {
      try condition.check(nil)
      return false
    }
    var removed: File?
    let existed = try locks.withLock(for: key) { () throws(StoreError) in
      try check(condition, path.fileName, in: directory)
      return try replacing(path, in: directory, newBytes: nil, keepingOpen: &removed, StoreError.failed) {
        () throws(SystemError) in _ = try directory.removeFile(path.fileName)
      }
    }
    try translatingError(StoreError.failed) { () throws(SystemError) in
      // Also where there was nothing: whoever took it away may not have synced that yet, or have died before.
      if durability == .full { try syncing { () throws(SystemError) in try directory.sync() } }
      if existed { try pruneDirectories(of: path) }
    }
    return existed
  }

  /// Fails where a key's value is not as the condition demands: told early, it saves sending a value in vain.
  package func check(_ condition: WriteCondition, _ key: Key) throws(StoreError) {
    guard !condition.isEmpty else { return }
    let path = ValuePath(key: key, slot: key.slot)
    let opened = try translatingError(StoreError.failed) { () throws(SystemError) in
      try directory(at: path.directories[...])
    }
    guard let directory = opened else { return try condition.check(nil) }
    try check(condition, path.fileName, in: directory)
  }

  /// Writes, syncs and removes a small file, to find out whether the disk answers and would take a value.
  package func probe() throws(StoreError) {
    try checkWritable()
    let name = "probe"
    do throws(SystemError) {
      defer { _ = try? layout.staging.removeFile(name) }
      let file = try layout.staging.createFile(name)
      try file.write(Array("probe\n".utf8).span.bytes, at: 0)
      try syncing { () throws(SystemError) in try file.sync() }
    } catch {
      throw StoreError(writing: error)
    }
    try checkSpace(for: 0)
  }

  /// The space of the file system with the values.
  package func space() throws(SystemError) -> Directory.Space { try layout.values.space() }

  /// Why the store takes no changes, if it does not.
  package var readOnlyReason: String? { state.withLock { $0.readOnlyReason } }

  /// How often a stored value was found not to be what was stored.
  package var damagedCount: Int { state.withLock { $0.damagedCount } }

  /// How many files were in `quarantine/` at the last look.
  package var quarantinedCount: Int {
    get { state.withLock { $0.quarantinedCount } }
    set { state.withLock { $0.quarantinedCount = newValue } }
  }

  /// Counts a value that was found damaged.
  package func countDamage() { state.withLock { $0.damagedCount += 1 } }

  /// Fails where a value of so many bytes would eat into the reserve.
  package func checkSpace(for byteCount: Int) throws(StoreError) {
    let space: Directory.Space
    do throws(SystemError) { space = try layout.values.space() } catch { throw .failed(error) }
    let reserve = minimumFree.bytes(filesystemBytes: space.totalBytes)
    guard space.freeBytes - byteCount < reserve else { return }
    let wanted = byteCount == 0 ? "" : ", \(byteCount) more are needed"
    throw .full(detail: "no space: \(space.freeBytes) bytes are free\(wanted), \(reserve) are reserved (MinFree=)")
  }

  /// Runs a sync. After one has failed, what the kernel dropped is gone and a second one would report success
  /// (fsync(2)): so the store changes nothing any more, and says so.
  package func syncing(_ sync: () throws(SystemError) -> Void) throws(SystemError) {
    do throws(SystemError) {
      try sync()
    } catch {
      state.withLock { $0.readOnlyReason = $0.readOnlyReason ?? "\(error)" }
      throw error
    }
  }

  /// Moves a staged file to its place, if the condition holds, and makes that durable. True where the key had no
  /// value before; the file of one is left in `replaced` if it is large, so that the caller says when it goes.
  package func publish(
    staged name: String, byteCount: Int, as key: Key, if condition: WriteCondition, keepingOpen replaced: inout File?
  ) throws(StoreError) -> Bool {
    let path = ValuePath(key: key, slot: key.slot)
    var attempts = 1
    while true {
      do throws(StoreError) {
        return try publish(
          staged: name, byteCount: byteCount, as: key, path, if: condition, keepingOpen: &replaced)
      } catch {
        // A DEL of another key took the emptied directory away in between.
        guard case .failed(let error) = error, error.isAbsent, attempts < Self.directoryAttemptsMax else { throw error }
        attempts += 1
      }
    }
  }

  private func publish(
    staged name: String, byteCount: Int, as key: Key, _ path: ValuePath, if condition: WriteCondition,
    keepingOpen replaced: inout File?
  ) throws(StoreError) -> Bool {
    let directory = try translatingError(StoreError.init(writing:)) { () throws(SystemError) in
      try makeDirectories(of: path)
    }
    let created = try locks.withLock(for: key) { () throws(StoreError) in
      try check(condition, path.fileName, in: directory)
      return try !replacing(
        path, in: directory, newBytes: byteCount, keepingOpen: &replaced, StoreError.init(writing:)
      ) { () throws(SystemError) in
        try layout.staging.rename(name, to: path.fileName, in: directory)
      }
    }
    try translatingError(StoreError.init(writing:)) { () throws(SystemError) in
      if durability == .full { try syncing { () throws(SystemError) in try directory.sync() } }
    }
    return created
  }

  /// Puts something else in the place of a key's value, and counts it. True where there was a value.
  ///
  /// The kernel frees a file's space when its last name and its last descriptor are gone. For a large one that takes
  /// milliseconds, during which rename(2) holds up all other renames of the file system, and this the locks: so a large
  /// file is left open.
  private func replacing(
    _ path: ValuePath, in directory: borrowing Directory, newBytes: Int?, keepingOpen old: inout File?,
    _ failing: (SystemError) -> StoreError, _ change: () throws(SystemError) -> Void
  ) throws(StoreError) -> Bool {
    usage.beginChange(shard: path.shardNumber)
    do throws(StoreError) {
      let oldBytes = try withoutCheck(path, in: directory, failing) { () throws(SystemError) in
        let oldBytes = try directory.status(of: path.fileName)?.byteCount
        if let oldBytes, oldBytes >= Self.keptOpenBytesMin { old = try? directory.openFile(path.fileName) }
        try change()
        return oldBytes
      }
      usage.endChange(shard: path.shardNumber, from: oldBytes, to: newBytes)
      return oldBytes != nil
    } catch {
      usage.endChange(shard: path.shardNumber, from: nil, to: nil)
      throw error
    }
  }

  /// Runs a call while no check moves a damaged value out of the directory: it would take what the call puts there.
  ///
  /// A check needs a moment for that. Once one has stood still in there, none in the shard is waited for again until a
  /// lock is had, so that not every request waits its second.
  private func withoutCheck(
    _ path: ValuePath, in directory: borrowing Directory, _ failing: (SystemError) -> StoreError,
    _ call: () throws(SystemError) -> Int?
  ) throws(StoreError) -> Int? {
    let shard = path.shardNumber
    let wasLocked = state.withLock { $0.lockedShards.contains(shard) }
    let result = try translatingError(failing) { () throws(SystemError) in
      try directory.withSharedLock(waiting: !wasLocked, call)
    }
    guard let result else {
      state.withLock { _ = $0.lockedShards.insert(shard) }
      throw .locked(directory: "values/\(path.directories.joined(separator: "/"))")
    }
    if wasLocked { state.withLock { _ = $0.lockedShards.remove(shard) } }
    return result
  }

  private func check(
    _ condition: WriteCondition, _ fileName: String, in directory: borrowing Directory
  ) throws(StoreError) {
    guard !condition.isEmpty else { return }
    do throws(StoreError) {
      try condition.check(try value(fileName, in: directory)?.head.state)
    } catch {
      // What is there is not what was stored, so that no tag names it; it can still be replaced or removed.
      guard case .damaged = error else { throw error }
      try condition.check(ValueState(checksum: nil, modifiedAt: HTTPDate(secondsSince1970: 0)))
    }
  }

  private func value(_ fileName: String, in directory: borrowing Directory) throws(StoreError) -> StoredValue? {
    let opened: File?
    do throws(SystemError) { opened = try directory.openFile(fileName) } catch { throw .failed(error) }
    guard let file = opened else { return nil }
    let status: File.Status
    do throws(SystemError) { status = try file.status() } catch { throw .failed(error) }
    guard status.isRegular else { return nil }
    do throws(StoreError) {
      return try StoredValue(reading: file, status)
    } catch {
      if case .damaged = error { countDamage() }
      throw error
    }
  }

  private func checkWritable() throws(StoreError) {
    if let reason = readOnlyReason { throw .readOnly(reason: reason) }
  }

  private func directory(at names: ArraySlice<String>) throws(SystemError) -> Directory? {
    guard let first = names.first else { return nil }
    // It was there at the start: without it nothing can be said of any of its keys.
    guard var directory = try layout.values.directory(first) else { throw .absent(call: "openat") }
    for name in names.dropFirst() {
      guard let next = try directory.directory(name) else { return nil }
      directory = next
    }
    return directory
  }

  private func makeDirectories(of path: ValuePath) throws(SystemError) -> Directory {
    var directory = try layout.values.makeAndOpen(path.directories[0])
    for name in path.directories.dropFirst() {
      let next = try directory.makeAndOpen(name)
      // Also where it was there already: whoever made it may not have synced it yet.
      if durability == .full { try syncing { () throws(SystemError) in try directory.sync() } }
      directory = next
    }
    return directory
  }

  /// Takes away directories of a long key that are empty now, innermost first.
  private func pruneDirectories(of path: ValuePath) throws(SystemError) {
    for depth in stride(from: path.directories.count - 1, to: 0, by: -1) {
      guard let parent = try directory(at: path.directories[..<depth]) else { return }
      guard try parent.removeDirectory(path.directories[depth]) else { return }
    }
  }
}

/// Locks under which a key's value is looked at and replaced or removed, so that a condition still holds when it is
/// acted on. Keys share a few locks; each is held for a handful of system calls that wait for no
/// disk, and for the lock of a directory that a check has.
package final class CommitLocks: Sendable {
  private final class Lock: Sendable {
    let mutex = Mutex(())
  }

  private let locks = (0..<64).map { _ in Lock() }

  /// Runs the body while no other does for the same key.
  package func withLock<Result, Failure: Error>(
    for key: Key, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let index = Int(UInt(bitPattern: key.hashValue) % UInt(locks.count))
    return try locks[index].mutex.withLock { _ throws(Failure) in try body() }
  }
}
