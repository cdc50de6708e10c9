import KVCore
import Synchronization

/// Keys of which an owner is known to hold less than the others: repair looks at them first. It is never the only means by
/// which that is found out, so it may forget.
final class MissedKeys: Sendable {
  private static let countMax = 10_000

  private let keys = Mutex<Set<Key>>([])

  /// Takes note of one, if there is room.
  func note(_ key: Key) {
    keys.withLock { keys in if keys.count < Self.countMax { keys.insert(key) } }
  }

  /// All that were noted since the last time.
  func takeAll() -> Set<Key> {
    keys.withLock { keys in
      defer { keys = [] }
      return keys
    }
  }
}
