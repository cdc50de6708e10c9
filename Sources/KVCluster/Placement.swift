import KVCore

/// Which node owns a slot. The one type that knows the rule.
package struct Placement: Sendable, Equatable {
  /// How many nodes share the slots, at least 1.
  package let nodeCount: Int
  private let slotsPerNode: Int

  /// Shares the slots among nodes numbered from 0 in the order of the peer list.
  package init(nodeCount: Int) {
    precondition((1...Slot.count).contains(nodeCount), "a placement needs 1 to \(Slot.count) nodes")
    self.nodeCount = nodeCount
    slotsPerNode = Slot.count / nodeCount
  }

  /// The index of the slot's owner in the peer list.
  ///
  /// Counting nodes from 1, node i owns the slots from (i−1)·split to i·split, both included, and the first
  /// such node wins: so slot i·split is node i's, and slot 0 is the only one that node 1 has below its range.
  /// Slots past the last range, left over by the integer division, are the first node's.
  package func owner(of slot: Slot) -> Int {
    let index = max(slot.number - 1, 0) / slotsPerNode
    return index < nodeCount ? index : 0
  }
}
