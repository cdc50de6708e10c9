import KVCore
import KVLinux

/// Goes through the keys that the store holds, a shard at a time, without keeping them.
struct StoreWalk {
  let store: Store

  /// Calls `visit` with each key in a shard, in no order.
  func forEachKey(shard: String, _ visit: (Key) -> Void) throws(SystemError) {
    guard let directory = try store.layout.values.directory(shard) else { return }
    try visitNames(in: directory, path: [], visit)
  }

  /// Names that end in `+` are directories of long keys; anything that no PUT would have named so is skipped.
  private func visitNames(
    in directory: borrowing Directory, path: [String], _ visit: (Key) -> Void
  ) throws(SystemError) {
    for name in try directory.names() {
      if name.hasSuffix("+") {
        guard path.count < Key.bytesMax, let next = try directory.directory(name) else { continue }
        try visitNames(in: next, path: path + [name], visit)
      } else if let key = ValuePath.key(names: path + [name]) {
        visit(key)
      }
    }
  }
}
