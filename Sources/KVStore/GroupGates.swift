import KVCluster
import KVCore
import Synchronization

/// Which groups of keys this node decides about alone, and since when. What it does alone is done under the lock of the key,
/// where it looks here: so nothing that began alone is done any more once others have got a say.
package final class GroupGates: Sendable {
  /// How things stand with one group.
  package struct Gate: Hashable, Sendable {
    /// The version of the layout at which the say about the group last changed; 0 without a layout.
    package let epoch: UInt64
    /// Whether others have a say too.
    package let isShared: Bool

    package init(epoch: UInt64, isShared: Bool) {
      self.epoch = epoch
      self.isShared = isShared
    }
  }

  private let gates = Mutex([Gate](repeating: Gate(epoch: 0, isShared: false), count: ValuePath.shards.count))

  /// Whether this node has decided about the group alone ever since the epoch.
  func isAlone(_ group: Int, since epoch: UInt64) -> Bool {
    gates.withLock { $0[group] } == Gate(epoch: epoch, isShared: false)
  }

  func set(_ new: [Gate]) {
    precondition(new.count == ValuePath.shards.count, "each group has a gate")
    gates.withLock { $0 = new }
  }
}

extension Store {
  /// Whether this node has decided about the key alone ever since the epoch.
  package func isAlone(_ key: Key, since epoch: UInt64) -> Bool { gates.isAlone(key.slot.group, since: epoch) }

  /// Says who has a say about each group. When this returns, nothing is under way that began under the old gates of those
  /// that differ.
  package func set(_ gates: [GroupGates.Gate]) {
    self.gates.set(gates)
    passCommits()
  }

  /// Waits until every change that has looked whether it may be made is made.
  package func passCommits() { locks.passAll() }
}
