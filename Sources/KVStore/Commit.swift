import KVCluster
import KVCore
import KVHTTP
import KVLinux

/// How a staged value becomes its key's, and how a value goes.
///
/// The order of the steps is the store's promise: content and attribute are on the disk before the name is, and the name
/// before anyone is told.
extension StagedValue {
  /// What a commit came to.
  package struct Commit: Equatable, Sendable {
    /// What was recorded of the value.
    package let attribute: ValueAttribute
    /// Whether the key had no value before; nil where the client had asked for it before, and there it was.
    package let created: Bool?
  }

  /// Makes the value the key's, if the condition holds; durable before this returns.
  package mutating func commit(
    fields: ValueFields = ValueFields(), if condition: WriteCondition = .none
  ) async throws(StoreError) -> Commit {
    try store.checkWritable()
    var attribute = try describe(fields)
    try await syncContent()
    var outbidCount = 0
    while true {
      let place = try await store.makePlace(of: key)
      let outcome: Move
      do throws(StoreError) { outcome = try move(to: place, as: attribute, if: condition) } catch {
        guard case .outbid = error, outbidCount < Store.outbidMax else { throw error }
        outbidCount += 1
        attribute = try describe(fields)
        try await syncContent()
        continue
      }
      let commit: Commit
      switch outcome {
      case .placeGone: continue
      case .done(let created): commit = Commit(attribute: attribute, created: created)
      case .doneBefore(let present): commit = Commit(attribute: present, created: nil)
      }
      // Also what was there: whoever put it there may have died before.
      try await store.syncName(in: place, StoreError.init(writing:))
      // Another's sync of the same directory may have failed meanwhile, and the kernel tells of that once.
      try store.checkWritable()
      return commit
    }
  }
}

extension Store {
  /// How often a commit makes its directories anew because a DEL took them away meanwhile.
  static let placeAttemptsMax = 16
  /// How often a value is given a higher ballot because rounds of before have outbid it.
  static let outbidMax = 16
  /// From which size on a file is freed when no lock is held.
  private static let keptOpenBytesMin = 1 << 20

  /// The directory that a key's value lies in, open.
  struct Place: ~Copyable {
    let path: ValuePath
    let directory: Directory
  }

  /// Removes a key's value, if the condition holds, durably; false where there was none. Only as long as this node decides
  /// about the key's group alone, as it has since the epoch.
  package func delete(
    _ key: Key, if condition: WriteCondition = .none, epoch: UInt64 = 0
  ) async throws(StoreError) -> Bool {
    try checkWritable()
    guard let place = try openPlace(of: key) else {
      guard gates.isAlone(key.slot.group, since: epoch) else { throw .shared }
      try condition.check(nil)
      return false
    }
    var removed: File?
    let existed = try locks.withLock(for: key) { () throws(StoreError) in
      guard gates.isAlone(place.path.shardNumber, since: epoch) else { throw .shared }
      try check(condition, in: place)
      votes.forget(group: UInt8(place.path.shardNumber))
      let existed = try replacing(place, newBytes: nil, keepingOpen: &removed, StoreError.failed) {
        () throws(SystemError) in
        _ = try place.directory.removeFile(place.path.fileName)
      }
      index.note(key.bytes, nil)
      return existed
    }
    // Also where there was nothing: whoever took it away may not have synced that yet, or have died before.
    try await syncName(in: place, StoreError.failed)
    try checkWritable()
    if existed { try pruneDirectories(of: place.path) }
    return existed
  }

  /// Opens the directory that a key's value would lie in, or nil where it is not there.
  func openPlace(of key: Key) throws(StoreError) -> Place? {
    let path = ValuePath(key: key, slot: key.slot)
    let opened = try translatingError(StoreError.failed) { () throws(SystemError) in
      try directory(at: path.directories[...])
    }
    guard let directory = opened else { return nil }
    return Place(path: path, directory: directory)
  }

  /// Opens the directory that a key's value is to lie in, after making it durably where it is missing.
  func makePlace(of key: Key) async throws(StoreError) -> Place {
    let path = ValuePath(key: key, slot: key.slot)
    var attempts = 0
    while true {
      attempts += 1
      do throws(SystemError) {
        return Place(path: path, directory: try await makeDirectories(path.directories))
      } catch {
        // A DEL of another key took an emptied directory away in between.
        guard error.isAbsent, attempts < Self.placeAttemptsMax else { throw StoreError(writing: error) }
      }
    }
  }

  private func makeDirectories(_ names: [String]) async throws(SystemError) -> Directory {
    var directory = try layout.values.makeAndOpen(names[0])
    for name in names.dropFirst() {
      let next = try directory.makeAndOpen(name)
      // Also where it was there already: whoever made it may not have synced it yet.
      try await syncs.sync(directory)
      directory = next
    }
    return directory
  }

  /// Makes durable what a name in the place leads to.
  func syncName(in place: borrowing Place, _ failing: (SystemError) -> StoreError) async throws(StoreError) {
    do throws(SystemError) { try await syncs.sync(place.directory) } catch { throw failing(error) }
  }

  /// What was recorded of a value that came with the same token, and is whole; nil where there is none.
  func repeated(_ request: RequestToken?, in place: borrowing Place) throws(StoreError) -> ValueAttribute? {
    guard let request else { return nil }
    do throws(SystemError) {
      guard let file = try place.directory.openFile(place.path.fileName),
        let attribute = try ValueAttribute.read(file), attribute.request == request, !attribute.isDeletion
      else { return nil }
      let status = try file.status()
      guard try Quarantine.markedName(file, status) == nil, status.byteCount == attribute.valueBytes else { return nil }
      return attribute
    } catch {
      throw .failed(error)
    }
  }

  /// Fails where what lies in the place is not as the condition demands.
  func check(_ condition: WriteCondition, in place: borrowing Place) throws(StoreError) {
    guard !condition.isEmpty, try repeated(condition.request, in: place) == nil else { return }
    do throws(StoreError) {
      try condition.check(try value(in: place)?.head.state)
    } catch {
      // What is there is not what was stored, so that no tag names it; it can still be replaced or removed.
      guard case .damaged = error else { throw error }
      try condition.check(ValueState(checksum: nil, modifiedAt: HTTPDate(secondsSince1970: 0)))
    }
  }

  /// Puts something else in the place of a key's value, and counts it. True where there was a value.
  ///
  /// The kernel frees a file's space when its last name and its last descriptor are gone. For a large one that takes
  /// milliseconds, during which rename(2) holds up all other renames of the file system, and this the locks: so a large
  /// file is left open.
  func replacing(
    _ place: borrowing Place, newBytes: Int?, keepingOpen old: inout File?, _ failing: (SystemError) -> StoreError,
    _ change: () throws(SystemError) -> Void
  ) throws(StoreError) -> Bool {
    let (shard, name) = (place.path.shardNumber, place.path.fileName)
    usage.beginChange(shard: shard)
    do throws(StoreError) {
      let oldBytes = try withoutCheck(place, failing) { () throws(SystemError) in
        let oldBytes = try place.directory.valueBytes(of: name)
        if let oldBytes, oldBytes >= Self.keptOpenBytesMin { old = try? place.directory.openFile(name) }
        try change()
        return oldBytes
      }
      usage.endChange(shard: shard, from: oldBytes, to: newBytes)
      return oldBytes != nil
    } catch {
      usage.endChange(shard: shard, from: nil, to: nil)
      throw error
    }
  }

  /// Runs a call while no check moves a damaged value out of the directory: it would take what the call puts there.
  ///
  /// A check needs a moment for that. Once one has stood still in there, none in the shard is waited for again until a
  /// lock is had, so that not every request waits its second.
  private func withoutCheck(
    _ place: borrowing Place, _ failing: (SystemError) -> StoreError, _ call: () throws(SystemError) -> Int?
  ) throws(StoreError) -> Int? {
    let wasLocked = isLocked(shard: place.path.shardNumber)
    let result: Int??
    do throws(SystemError) {
      result = try place.directory.withSharedLock(waiting: !wasLocked, call)
    } catch {
      throw failing(error)
    }
    noteLock(shard: place.path.shardNumber, isHeld: result == nil)
    guard let result else {
      throw .locked(directory: "values/\(place.path.directories.joined(separator: "/"))")
    }
    return result
  }

  /// Takes away directories of a long key that are empty now, innermost first.
  func pruneDirectories(of path: ValuePath) throws(StoreError) {
    do throws(SystemError) {
      for depth in stride(from: path.directories.count - 1, to: 0, by: -1) {
        guard let parent = try directory(at: path.directories[..<depth]) else { return }
        guard try parent.removeDirectory(path.directories[depth]) else { return }
      }
    } catch {
      throw .failed(error)
    }
  }
}
