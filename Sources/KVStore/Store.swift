import KVCluster
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
    var damagedCount = 0
    var quarantinedCount = 0
    /// The shards in which another process has held a directory's lock for longer than is waited for.
    var lockedShards: Set<Int> = []
  }

  package let layout: DataDirectory
  let durability: Durability
  private let minimumFree: FreeSpaceReserve
  /// How many values there are, and of how many bytes.
  package let usage = StoreUsage()
  /// What there is, in order.
  package let index: ValueIndex
  /// What makes changes durable.
  package let syncs: Syncs
  /// How the disk votes about its keys.
  package let votes: Votes
  let locks = CommitLocks()
  /// What the groups hold in short, as far as it has been asked for.
  let summaries = GroupSummaries()
  /// Which groups others have a say about too.
  let gates = GroupGates()
  private let state = Mutex(State())

  /// Opens the data directory, makes what is missing in it and empties `staging/`. Syncs are done on `syncThreads`, or
  /// where they are asked for if there are none.
  package init(
    path: String, durability: Durability, minimumFree: FreeSpaceReserve, stateDirectory: String? = nil,
    syncThreads: IOExecutor? = nil
  ) throws(StoreOpenError) {
    layout = try DataDirectory.open(path: path, stateDirectory: stateDirectory)
    votes = try Votes(in: layout.root, path: path)
    index = ValueIndex(in: layout.root, path: path)
    self.durability = durability
    self.minimumFree = minimumFree
    syncs = Syncs(durability, threads: syncThreads)
  }

  /// Leaves the directory in order: the next start finds what it needs. Nothing is stored after this.
  package func close() throws(SystemError) {
    index.close()
    try votes.close()
  }

  /// Fails where no value of so many bytes can be stored now.
  package func checkRoom(for byteCount: Int) throws(StoreError) {
    try checkWritable()
    try checkSpace(for: byteCount)
  }

  /// Begins a value. Its length, where known, is reserved on the disk at once, unless it is written at once anyway. It can
  /// be committed as long as this node decides about its group alone, as it has since the epoch.
  package func stage(_ key: Key, byteCount: Int?, epoch: UInt64 = 0) throws(StoreError) -> StagedValue {
    try checkRoom(for: byteCount ?? 0)
    let number = state.withLock { state in
      state.stagedCount += 1
      return state.stagedCount
    }
    var value = try StagedValue(key: key, name: String(number), epoch: epoch, store: self)
    if let byteCount, byteCount > SmallContent.bytesMax { try value.reserve(byteCount: byteCount) }
    return value
  }

  /// Opens a key's value for reading, or nil where there is none. An overwritten or deleted value stays
  /// readable for those who have opened it.
  package func open(_ key: Key) throws(StoreError) -> StoredValue? {
    guard let place = try openPlace(of: key) else { return nil }
    return try value(in: place)
  }

  /// `open` where it takes no disk. Nil says nothing: there may be a value all the same.
  package func openCached(_ key: Key) -> StoredValue? {
    let path = ValuePath(key: key, slot: key.slot)
    guard let file = layout.values.openCachedFile(path.directories + [path.fileName]),
      let status = try? file.status(), status.isRegular
    else { return nil }
    do throws(StoreError) { return try StoredValue.read(file, status) } catch { return nil }
  }

  /// Fails where a key's value is not as the condition demands: told early, it saves sending a value in vain.
  package func check(_ condition: WriteCondition, _ key: Key) throws(StoreError) {
    guard !condition.isEmpty else { return }
    guard let place = try openPlace(of: key) else { return try condition.check(nil) }
    try check(condition, in: place)
  }

  /// Writes, syncs and removes a small file, to find out whether the disk answers and would take a value.
  package func probe() throws(StoreError) {
    try checkWritable()
    do throws(SystemError) {
      defer { _ = try? layout.staging.removeFile(StoreName.probe) }
      let file = try layout.staging.createFile(StoreName.probe)
      try Array("probe\n".utf8).withBytes { bytes throws(SystemError) in try file.write(bytes, at: 0) }
      try syncs.now(file)
    } catch {
      throw StoreError(writing: error)
    }
    try checkSpace(for: 0)
  }

  /// The space of the file system with the values.
  package func space() throws(SystemError) -> Directory.Space { try layout.values.space() }

  /// Why the store takes no changes, if it does not.
  package var readOnlyReason: String? { syncs.failedReason }

  /// How often a stored value was found not to be what was stored.
  package var damagedCount: Int { state.withLock { $0.damagedCount } }

  /// How many files were in `quarantine/` at the last look.
  package var quarantinedCount: Int {
    get { state.withLock { $0.quarantinedCount } }
    set { state.withLock { $0.quarantinedCount = newValue } }
  }

  /// Counts what the disk has made durable: while it grows, the store gets on. What the page cache takes or gives proves
  /// nothing of the disk.
  package var progress: Int { syncs.finishedCount }

  /// Fails where nothing can be made durable any more.
  func checkWritable() throws(StoreError) {
    if let reason = readOnlyReason { throw .readOnly(reason: reason) }
  }

  /// Fails where a value of so many bytes would eat into the reserve.
  package func checkSpace(for byteCount: Int) throws(StoreError) {
    let space: Directory.Space
    do throws(SystemError) { space = try layout.values.space() } catch { throw .failed(error) }
    let reserve = minimumFree.bytes(filesystemBytes: space.totalBytes)
    guard space.freeBytes - byteCount < reserve else { return }
    let wanted = byteCount == 0 ? "" : ", \(byteCount) more are needed"
    throw .full(detail: "no space: \(space.freeBytes) bytes are free\(wanted), \(reserve) are reserved (MinFree=)")
  }

  /// Whether another process was found to keep a directory of the shard to itself.
  func isLocked(shard: Int) -> Bool { state.withLock { $0.lockedShards.contains(shard) } }

  /// Takes note of whether another process keeps a directory of the shard to itself.
  func noteLock(shard: Int, isHeld: Bool) {
    state.withLock { state in
      if isHeld { state.lockedShards.insert(shard) } else { state.lockedShards.remove(shard) }
    }
  }

  /// Opens what lies in a place, or nil where that is no value.
  func value(in place: borrowing Place) throws(StoreError) -> StoredValue? {
    let opened = try translatingError(StoreError.failed) { () throws(SystemError) in
      try place.directory.openFile(place.path.fileName)
    }
    guard let file = opened else { return nil }
    let status: File.Status
    do throws(SystemError) { status = try file.status() } catch { throw .failed(error) }
    guard status.isRegular else { return nil }
    do throws(StoreError) {
      return try StoredValue.read(file, status)
    } catch {
      if case .damaged = error { state.withLock { $0.damagedCount += 1 } }
      throw error
    }
  }

  /// Opens a directory below `values/`, or nil where it is not there.
  func directory(at names: ArraySlice<String>) throws(SystemError) -> Directory? {
    guard let first = names.first else { return nil }
    // It was there at the start: without it nothing can be said of any of its keys.
    guard var directory = try layout.values.directory(first) else { throw .absent(call: "openat") }
    for name in names.dropFirst() {
      guard let next = try directory.directory(name) else { return nil }
      directory = next
    }
    return directory
  }
}

/// Locks under which a key's value is looked at and replaced or removed, so that a condition still holds when it is
/// acted on. Keys share a few locks; each is held for a handful of system calls that wait for no
/// disk, and for the lock of a directory that a check has.
final class CommitLocks: Sendable {
  private final class Lock: Sendable {
    let mutex = Mutex(())
  }

  private let locks = (0..<64).map { _ in Lock() }

  /// Waits until everybody is through who holds a lock now.
  func passAll() { for lock in locks { lock.mutex.withLock { _ in } } }

  /// Runs the body while no other does for the same key.
  func withLock<Result, Failure: Error>(
    for key: Key, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let index = Int(UInt(bitPattern: key.hashValue) % UInt(locks.count))
    return try locks[index].mutex.withLock { _ throws(Failure) in try body() }
  }
}
