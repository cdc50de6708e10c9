import KVCluster
import KVCore
import Synchronization

/// Which groups of keys this node decides about alone, and since when. What it does alone is done under the lock of the key,
/// where it looks here: so nothing that began alone is done any more once others have got a say.
package final class GroupGates: Sendable {
  private let gates = Mutex([Say](repeating: .alone, count: ValuePath.shards.count))

  /// Whether this node has decided about the group alone ever since the epoch.
  func isAlone(_ group: Int, since epoch: UInt64) -> Bool {
    gates.withLock { $0[group] } == Say(epoch: epoch, isShared: false)
  }

  func set(_ new: [Say]) {
    precondition(new.count == ValuePath.shards.count, "each group has a gate")
    gates.withLock { $0 = new }
  }
}

extension Store {
  /// Whether this node has decided about the key alone ever since the epoch.
  package func isAlone(_ key: Key, since epoch: UInt64) -> Bool { gates.isAlone(key.slot.group, since: epoch) }

  /// Says who has a say about each group. When this returns, nothing is under way that began under the old gates of those
  /// that differ.
  package func set(_ gates: [Say]) {
    self.gates.set(gates)
    passCommits()
  }

  /// Waits until every change that has looked whether it may be made is made.
  package func passCommits() { locks.passAll() }
}
