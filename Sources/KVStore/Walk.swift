import KVCore
import KVLinux

/// Goes through the keys that the store holds, a shard at a time, without keeping them.
package struct StoreWalk {
  private static let countAttemptsMax = 100

  package let store: Store

  /// A walk through a store's values.
  package init(store: Store) { self.store = store }

  /// Calls `visit` with each key in a shard, in no order, its directory and its name there.
  package func forEachKey(shard: String, _ visit: (Key, borrowing Directory, String) throws(SystemError) -> Void)
    throws(SystemError)
  {
    // Without it a listing would be silently short.
    guard let directory = try store.layout.values.directory(shard) else { throw .absent(call: "openat") }
    try visitNames(in: directory, path: [], visit)
  }

  /// Names that end in `+` are directories of long keys; anything that no PUT would have named so is skipped.
  private func visitNames(
    in directory: borrowing Directory, path: [String],
    _ visit: (Key, borrowing Directory, String) throws(SystemError) -> Void
  ) throws(SystemError) {
    for name in try directory.names() {
      if name.hasSuffix("+") {
        guard path.count < Key.bytesMax, try directory.status(of: name)?.isDirectory == true,
          let next = try directory.directory(name)
        else { continue }
        try visitNames(in: next, path: path + [name], visit)
      } else if let key = ValuePath.key(names: path + [name]) {
        try visit(key, directory, name)
      }
    }
  }

  /// Counts the values of every shard, once.
  package func countAll() async throws(SystemError) {
    for (number, shard) in ValuePath.shards.enumerated() {
      // A shard that changes all the time is counted again and again, but not for ever.
      for _ in 0..<Self.countAttemptsMax {
        let glimpse = store.usage.glimpse(shard: number)
        var count = StoreUsage.Count()
        try forEachKey(shard: shard) { _, directory, name throws(SystemError) in
          guard let status = try directory.status(of: name) else { return }
          count.values += 1
          count.bytes += status.byteCount
        }
        if store.usage.record(shard: number, count, since: glimpse) { break }
      }
      await Task.yield()
      if Task.isCancelled { return }
    }
  }
}
