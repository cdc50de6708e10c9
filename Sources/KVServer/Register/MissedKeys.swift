import KVCluster
import KVCore
import Synchronization

/// Keys of which an owner is known to hold less than the others, or that were deleted: repair looks at them first. It is
/// never the only means by which that is found out, so it may forget.
final class MissedKeys: Sendable {
  private static let countMax = 10_000

  /// What is known of a key.
  struct Note: Sendable {
    var kind: RepairBacklog.Kind
    /// Whoever has not taken what was proposed.
    var members: Set<Member> = []
  }

  private let keys = Mutex<[Key: Note]>([:])

  /// Takes note of one, if there is room.
  func note(_ key: Key, at member: Member? = nil) {
    keys.withLock { keys in
      guard keys.count < Self.countMax || keys[key] != nil else { return }
      keys[key, default: Note(kind: .behind)].kind = .behind
      if let member { keys[key]?.members.insert(member) }
    }
  }

  /// Takes note of one that was deleted, which is to be forgotten.
  func noteDeleted(_ key: Key) {
    keys.withLock { keys in
      guard keys.count < Self.countMax, keys[key] == nil else { return }
      keys[key] = Note(kind: .deleted)
    }
  }

  /// All that were noted since the last time.
  func takeAll() -> [Key: Note] {
    keys.withLock { keys in
      defer { keys = [:] }
      return keys
    }
  }
}
