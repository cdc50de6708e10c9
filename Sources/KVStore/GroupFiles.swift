import KVCluster
import KVCore
import KVLinux

/// What a disk holds of a whole group of keys, for those who move it.
extension Store {
  /// Whether there is any value.
  package func hasValues() throws(SystemError) -> Bool {
    for shard in ValuePath.shards {
      var walk = try Walk(values: layout.values, shard: shard)
      while let entry = walk.next() {
        if case .value = entry { return true }
      }
    }
    return false
  }

  /// The keys of a group that have a file here, in order of their bytes.
  package func keys(of group: Int, where isWanted: (Slot) -> Bool) throws(SystemError) -> [Key] {
    var keys: [Key] = []
    var walk = try Walk(values: layout.values, shard: ValuePath.shards[group])
    while let entry = walk.next() {
      switch entry {
      case .value(let key, _, _):
        let slot = key.slot
        if slot.group == group, isWanted(slot) { keys.append(key) }
      case .stray: continue
      // Without it a group would be silently short.
      case .unreadable(_, let error): throw error
      }
    }
    return keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  /// What a disk holds of the keys of a group behind one, a page of them, and whether it is the last.
  package func held(
    of group: Int, behind last: Key?, limit: Int, where isWanted: (Slot) -> Bool
  ) async throws(StoreError) -> (page: [HeldKey], isLast: Bool) {
    var page: [HeldKey] = []
    for key in try keys(of: group, behind: last, where: isWanted) {
      guard page.count < limit else { return (page, false) }
      // It may have been removed since. Until the page is full others take its place: an empty one would say of no key
      // that it is not here.
      guard let held = try await held(key) else { continue }
      page.append(HeldKey(key: key, ballot: held.ballot, descriptor: held.descriptor))
    }
    return (page, true)
  }

  /// A group's keys behind one.
  func keys(
    of group: Int, behind last: Key?, where isWanted: (Slot) -> Bool
  ) throws(StoreError) -> ArraySlice<Key> {
    let keys: [Key]
    do throws(SystemError) { keys = try self.keys(of: group, where: isWanted) } catch { throw .failed(error) }
    return keys.drop { key in last.map { !$0.bytes.lexicographicallyPrecedes(key.bytes) } ?? false }
  }

  /// Removes the files of a group that say what was deleted.
  package func forgetDeletions(of group: Int, if isCurrent: () -> Bool) async throws(StoreError) {
    let keys: [Key]
    do throws(SystemError) { keys = try self.keys(of: group) { _ in true } } catch { throw .failed(error) }
    for key in keys {
      guard let held = try await deletion(of: key), held.descriptor.kind == .deletion else { continue }
      try await remove(key, holding: held.ballot, if: isCurrent)
    }
  }

  /// What is held of a key that has a file of no bytes.
  private func deletion(of key: Key) async throws(StoreError) -> Held? {
    guard let place = try openPlace(of: key) else { return nil }
    do throws(SystemError) {
      guard let status = try place.directory.status(of: place.path.fileName),
        try place.directory.isDeletion(place.path.fileName, status)
      else { return nil }
    } catch {
      throw .failed(error)
    }
    return try await held(key)
  }

  /// Moves a group's files out of the way, durably: others had the say about their keys meanwhile, and may have deleted
  /// some. None is lost, and none served. Returns how many there were.
  package func setAside(group: Int, where isMissed: (Slot) -> Bool) throws(SystemError) -> Int {
    let aside = try layout.root.makeAndOpen(StoreName.aside)
    try layout.root.sync()
    var count = 0
    var walk = try Walk(values: layout.values, shard: ValuePath.shards[group])
    while let entry = walk.next() {
      switch entry {
      case .value(let key, let place, let name):
        let slot = key.slot
        guard slot.group == group, isMissed(slot), let file = try place.directory.openFile(name) else { continue }
        let status = try file.status()
        // A deletion that was missed is of no use to anybody.
        if try !place.directory.isDeletion(name, status) {
          try file.setAttribute(StoreName.quarantinedKeyAttribute, key.bytes)
          try place.directory.rename(name, to: "\(name.prefix(Self.asideNameMax)).\(status.inode)", in: aside)
        } else {
          _ = try place.directory.removeFile(name)
        }
        index.note(key.bytes, nil)
        count += 1
      case .stray: continue
      case .unreadable(_, let error): throw error
      }
    }
    usage.noteChange(shard: group)
    guard count > 0 else { return 0 }
    try aside.sync()
    if let shard = try layout.values.directory(ValuePath.shards[group]) { try shard.sync() }
    return count
  }

  private static let asideNameMax = 200
}
