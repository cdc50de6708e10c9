import KVCore
import KVHTTP
import KVLinux
import Synchronization

/// An ordered index of what the files say, for listings. It is never a truth: it is written after a value has its name,
/// without a sync, and made anew from the files where it may not be whole.
///
/// There are two tables. One is looked at; the other is empty, or is being made anew, and then every change goes into both.
package final class ValueIndex: Sendable {
  /// Why it cannot be looked at.
  package enum Unusable: Error, Equatable, Sendable {
    /// It is being made; so many of the 256 directories are in it.
    case building(shardCount: Int)
    case failed(reason: String)
  }

  private enum Condition: Sendable {
    case missing
    case usable
    /// The map took a change or gave an entry no more. LMDB may never do so again, so that another has to be opened.
    case broken(reason: String)
    /// It could not be made.
    case failed(reason: String)
  }

  private struct State {
    var condition: Condition
    var map: IndexMap?
    var isBuilding = false
    /// Whether something has changed that no request told of.
    var isStale = false
    var shardCount = 0
    var failureCount = 0
  }

  /// Nil where there is no place for one.
  private let place: IndexPlace?
  private let state: Mutex<State>

  /// Opens the index in a data directory. One that was not closed in order is thrown away: without syncs there is no
  /// telling what is in it.
  init(in root: borrowing Directory, path: String) {
    var found: IndexPlace?
    do throws(SystemError) {
      let place = try IndexPlace(in: root, path: path)
      found = place
      let isClean = try place.takeCleanMark()
      let map = try IndexMap(in: place, isNew: !isClean)
      state = Mutex(State(condition: isClean ? .usable : .missing, map: map))
    } catch {
      state = Mutex(State(condition: .failed(reason: "\(error)")))
    }
    place = found
  }

  /// Says that the index is whole, where it is: to be called last.
  package func close() {
    let whole = state.withLock { state -> IndexMap? in
      guard case .usable = state.condition, !state.isStale else { return nil }
      state.condition = .missing
      return state.map
    }
    guard let whole, let place else { return }
    // Where that fails, the index is made anew at the next start.
    do throws(SystemError) {
      try whole.map.sync()
      try place.writeCleanMark()
    } catch {
      return
    }
  }

  /// Whether it should be made anew.
  package var needsBuilding: Bool {
    state.withLock { state in
      if case .usable = state.condition { state.isStale } else { place != nil }
    }
  }

  /// Why it cannot be used as it is, where that is so; nil while it is only to be made.
  package var failure: String? {
    state.withLock { state in
      switch state.condition {
      case .missing, .usable: nil
      case .broken(let reason), .failed(let reason): reason
      }
    }
  }

  /// Says that files have come or gone of which no request told.
  package func markStale() { state.withLock { $0.isStale = true } }

  /// Takes note of a key's new value, or of none.
  func note(_ key: [UInt8], _ value: ListedValue?) {
    guard let opened = state.withLock({ $0.map }) else { return }
    do throws(SystemError) {
      try opened.map.change { change throws(SystemError) in
        let isBuilding = state.withLock { $0.isBuilding }
        for table in isBuilding ? opened.tables : [try opened.current(change)] {
          try Self.set(key, value, in: table, change)
        }
        if isBuilding { try change.put(IndexEntry.name(key), [], in: opened.touched) }
      }
    } catch {
      fail(.broken(reason: "\(error)"), opened)
    }
  }

  private static func set(
    _ key: [UInt8], _ value: ListedValue?, in table: OrderedMap.Table, _ change: borrowing OrderedMap.Change
  ) throws(SystemError) {
    if let value {
      try change.put(IndexEntry.name(key), IndexEntry.encode(value), in: table)
    } else {
      _ = try change.remove(IndexEntry.name(key), from: table)
    }
  }

  /// Takes note of a failure, unless another map has come into the place of the one that failed.
  private func fail(_ condition: Condition, _ map: IndexMap?) {
    state.withLock { state in
      guard state.map === map else { return }
      state.failureCount += 1
      state.condition = condition
      (state.isBuilding, state.shardCount) = (false, 0)
    }
  }
}

/// Looking at it.
extension ValueIndex {
  /// How many entries are passed over for one page.
  private static let passedMax = 20_000

  /// A page of the values of the keys that `isOwn` lets through.
  package func page(_ request: ListRequest, isOwn: (Key) -> Bool) throws(Unusable) -> ListPage {
    let opened = try usable()
    var gathering = ListGathering(limit: request.limit)
    let start = request.from.lexicographicallyPrecedes(request.prefix) ? request.prefix : request.from
    var scan = Scan(request, stem: IndexEntry.stem(request.prefix))
    var damage: String?
    do throws(SystemError) {
      try opened.map.look { look throws(SystemError) in
        try look.forEach(in: try opened.current(look), from: IndexEntry.stem(start)) { name, bytes in
          guard scan.isBehindLast(name), let value = IndexEntry.decode(name, bytes) else {
            damage = "an entry that is none, or in no order"
            return .stop
          }
          return scan.step(name, value, isOwn, passedMax: Self.passedMax, into: &gathering)
        }
      }
    } catch {
      damage = "\(error)"
    }
    guard let damage else { return gathering.page() }
    // It is made anew, and listings wait for that as they do at the start.
    fail(.broken(reason: damage), opened)
    throw .building(shardCount: 0)
  }

  private func usable() throws(Unusable) -> IndexMap {
    let state = state.withLock { $0 }
    switch (state.condition, state.map) {
    case (.usable, let opened?): return opened
    case (.failed(let reason), _): throw .failed(reason: reason)
    default: throw .building(shardCount: state.shardCount)
    }
  }

  /// One way through the entries of a page.
  private struct Scan {
    private let request: ListRequest
    private let prefixStem: [UInt8]
    private var lastName: [UInt8] = []
    private var passedCount = 0
    /// What the names of longer keys begin with that must all be seen, whatever the page has.
    private var openStem: [UInt8]?

    init(_ request: ListRequest, stem: [UInt8]) {
      self.request = request
      prefixStem = stem
    }

    /// Whether a name comes behind the one before it. Where bits have flipped in the file it may not, and what is gone
    /// through might have no end.
    mutating func isBehindLast(_ name: [UInt8]) -> Bool {
      defer { lastName = name }
      return lastName.lexicographicallyPrecedes(name)
    }

    mutating func step(
      _ name: [UInt8], _ value: ListedValue, _ isOwn: (Key) -> Bool, passedMax: Int,
      into gathering: inout ListGathering
    ) -> OrderedMap.Step {
      let stem = IndexEntry.isLong(name) ? Array(name[..<IndexEntry.stemBytes]) : nil
      if !name.starts(with: prefixStem) { return .stop }
      if gathering.isFull || passedCount >= passedMax, stem == nil || stem != openStem {
        gathering.end(before: stem ?? value.key)
        return .stop
      }
      openStem = stem
      passedCount += 1
      guard value.key.starts(with: request.prefix), !value.key.lexicographicallyPrecedes(request.from),
        let key = try? Key(value.key), isOwn(key)
      else { return .next }
      guard let group = request.group(of: value.key) else {
        gathering.insert(.value(value))
        return .next
      }
      gathering.insert(.group(group))
      guard group.count < IndexEntry.stemBytes, let behind = ListGathering.firstName(behind: group) else {
        return .next
      }
      return .seek(behind)
    }
  }
}

/// Making it anew.
extension ValueIndex {
  private static let batchEntries = 256

  /// What a file says of a key.
  typealias Reading = (key: Key, value: ListedValue)

  /// Fills the other table from the files and then looks at that one. `read` gives what the files of a directory say, some
  /// at a time. On the disk threads.
  func build(
    _ read: (_ shard: Int, _ take: ([Reading]) throws(SystemError) -> Void) throws(SystemError) -> Void
  ) async throws(SystemError) {
    guard let place else { return }
    let opened = try openedMap(in: place)
    do throws(SystemError) {
      let table = try opened.map.change { change throws(SystemError) in
        let table = try opened.other(change)
        try change.empty(table)
        try change.empty(opened.touched)
        state.withLock { state in
          (state.isBuilding, state.isStale, state.shardCount) = (true, false, 0)
        }
        return table
      }
      for shard in ValuePath.shards.indices {
        if Task.isCancelled { return state.withLock { ($0.isBuilding, $0.isStale) = (false, true) } }
        try read(shard) { readings throws(SystemError) in
          for start in stride(from: 0, to: readings.count, by: Self.batchEntries) {
            try take(readings[start..<min(start + Self.batchEntries, readings.count)], into: table, opened)
          }
        }
        state.withLock { $0.shardCount = shard + 1 }
        await IOExecutor.pause()
      }
      try finish(opened)
    } catch {
      fail(.failed(reason: "\(error)"), opened)
      throw error
    }
  }

  /// The map, or a new one in the place of one that has failed. Whoever still has that one goes on with it: its files have
  /// no names any more. A change that goes into it meanwhile is not lost, for its file is looked at later.
  private func openedMap(in place: IndexPlace) throws(SystemError) -> IndexMap {
    let (map, isSound) = state.withLock { state in
      switch state.condition {
      case .missing, .usable: (state.map, true)
      case .broken, .failed: (state.map, false)
      }
    }
    if let map, isSound { return map }
    do throws(SystemError) {
      let new = try IndexMap(in: place, isNew: true)
      state.withLock { state in (state.map, state.condition, state.shardCount) = (new, .missing, 0) }
      return new
    } catch {
      fail(.failed(reason: "\(error)"), map)
      throw error
    }
  }

  private func take(
    _ readings: ArraySlice<Reading>, into table: OrderedMap.Table, _ opened: IndexMap
  ) throws(SystemError) {
    try opened.map.change { change throws(SystemError) in
      for (key, value) in readings
      where try change.value(of: IndexEntry.name(key.bytes), in: opened.touched) == nil {
        try Self.set(key.bytes, value, in: table, change)
      }
    }
  }

  private func finish(_ opened: IndexMap) throws(SystemError) {
    let failureCount = state.withLock { $0.failureCount }
    let isWhole = try opened.map.change { change throws(SystemError) in
      try change.empty(opened.touched)
      // A change that could not be written meanwhile has ended this.
      guard state.withLock({ $0.isBuilding }) else { return false }
      try opened.setCurrent(try opened.other(change), change)
      state.withLock { $0.isBuilding = false }
      return true
    }
    guard isWhole else { return }
    state.withLock { if $0.failureCount == failureCount { $0.condition = .usable } }
    // What the old one holds is given back.
    try opened.map.change { change throws(SystemError) in try change.empty(try opened.other(change)) }
  }
}

extension Store {
  private static let readingsMax = 1024

  /// Makes the index anew from the files.
  package func buildIndex() async throws(SystemError) {
    try await index.build { shard, take throws(SystemError) in
      var walk = try Walk(values: layout.values, shard: ValuePath.shards[shard])
      var readings: [ValueIndex.Reading] = []
      while let entry = walk.next() {
        switch entry {
        // A file that somebody moved to another directory is no value.
        case .value(let key, let place, let name) where key.slot.number >> 8 == shard:
          if let value = try reading(key, place, name) { readings.append((key, value)) }
        case .value, .stray: continue
        // Without it a listing would be silently short.
        case .unreadable(_, let error): throw error
        }
        if readings.count >= Self.readingsMax {
          try take(readings)
          readings = []
        }
      }
      try take(readings)
    }
  }

  private func reading(_ key: Key, _ place: Walk.Place, _ name: String) throws(SystemError) -> ListedValue? {
    guard let file = try place.directory.openFile(name) else { return nil }
    let status = try file.status()
    guard status.isRegular else { return nil }
    do throws(StoreError) {
      guard let value = try StoredValue.read(file, status) else { return nil }
      return ListedValue(key: key.bytes, value.head)
    } catch {
      // What is damaged is listed too, by what little can be said of it.
      return ListedValue(
        key: key.bytes, byteCount: status.byteCount, checksum: nil,
        modifiedAt: HTTPDate(nanosecondsSince1970: status.modifiedAtNanoseconds))
    }
  }
}

extension ListedValue {
  /// What a listing tells of a value with that head.
  package init(key: [UInt8], _ head: ValueHead) {
    self.init(
      key: key, byteCount: head.byteCount, checksum: head.checksum, modifiedAt: head.modifiedAt,
      contentType: head.fields.contentType)
  }
}
