import KVCore
import KVLinux

/// Goes through the files of one of the 256 directories below `values/`, one at a time, without keeping them.
package struct Walk {
  /// A directory on the way, open.
  package final class Place: Sendable {
    /// The directory.
    package let directory: Directory
    /// The names that lead to it from the data directory.
    package let path: [String]

    init(_ directory: consuming Directory, _ path: [String]) {
      self.directory = directory
      self.path = path
    }
  }

  /// What lies there under a name.
  package enum Entry: Sendable {
    /// The value of a key, if the key belongs into this shard; or what says that the key was deleted.
    case value(Key, Place, name: String)
    /// What no PUT would have named so.
    case stray(Place, name: String)
    /// A directory or an entry, at that path below the data directory, that cannot be looked at.
    case unreadable(path: [String], SystemError)
  }

  private struct Level {
    let place: Place
    var names: ArraySlice<String>
  }

  private var levels: [Level] = []

  /// A walk that has not begun; fails where the shard cannot be read, for without it nothing would be whole.
  package init(values: borrowing Directory, shard: String) throws(SystemError) {
    guard let directory = try values.directory(shard) else { throw .absent(call: "openat") }
    let names = try directory.names()
    levels = [Level(place: Place(directory, ["values", shard]), names: names[...])]
  }

  /// The next entry, in no order, or nil after the last.
  package mutating func next() -> Entry? {
    while let last = levels.indices.last {
      guard let name = levels[last].names.popFirst() else {
        levels.removeLast()
        continue
      }
      let place = levels[last].place
      do throws(SystemError) {
        if let inner = try directory(name, in: place) {
          levels.append(inner)
        } else if let key = ValuePath.key(names: place.path.dropFirst(2) + [name]) {
          return .value(key, place, name: name)
        } else {
          return .stray(place, name: name)
        }
      } catch {
        return .unreadable(path: place.path + [name], error)
      }
    }
    return nil
  }

  /// Names that end in `+` are directories of long keys.
  private func directory(_ name: String, in place: Place) throws(SystemError) -> Level? {
    guard name.hasSuffix("+"), place.path.count < Key.bytesMax,
      try place.directory.status(of: name)?.isDirectory == true, let directory = try place.directory.directory(name)
    else { return nil }
    let names = try directory.names()
    return Level(place: Place(directory, place.path + [name]), names: names[...])
  }
}

extension Walk {
  /// Calls `visit` with each key in a shard that has a value, in no order. A file that somebody moved to another directory
  /// is none.
  static func forEachKey(
    shard number: Int, of values: borrowing Directory, _ visit: (Key, Slot) -> Void
  ) throws(SystemError) {
    var walk = try Walk(values: values, shard: ValuePath.shards[number])
    while let entry = walk.next() {
      switch entry {
      case .value(let key, let place, let name):
        let slot = key.slot
        guard slot.number >> 8 == number, let status = try place.directory.status(of: name) else { continue }
        if try !place.directory.isDeletion(name, status) { visit(key, slot) }
      case .stray: continue
      // Without it a count would be silently short.
      case .unreadable(_, let error): throw error
      }
    }
  }
}

extension Store {
  private static let countAttemptsMax = 100

  /// Counts the values of a shard anew.
  package func count(shard number: Int) throws(SystemError) {
    // One that changes all the time is counted again and again, but not for ever.
    for _ in 0..<Self.countAttemptsMax {
      let glimpse = usage.glimpse(shard: number)
      var count = StoreUsage.Count()
      var walk = try Walk(values: layout.values, shard: ValuePath.shards[number])
      while let entry = walk.next() {
        switch entry {
        case .value(_, let place, let name):
          guard let status = try place.directory.status(of: name),
            try !place.directory.isDeletion(name, status)
          else { continue }
          count.values += 1
          count.bytes += status.byteCount
        case .stray: continue
        case .unreadable(_, let error): throw error
        }
      }
      if usage.record(shard: number, count, since: glimpse) { return }
    }
  }
}
