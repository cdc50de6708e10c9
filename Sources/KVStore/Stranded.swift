import KVCore
import KVLinux

/// How many of the values in a data directory belong to other nodes, by their names: a list that was changed has left them
/// behind, and no request finds them.
package struct Stranded: Equatable, Sendable {
  /// The counts, for nodes that have any.
  package private(set) var countsByOwner: [String: Int] = [:]
  /// What is in the directory altogether.
  package private(set) var valueCount = 0

  /// None.
  package init() {}

  /// All of them.
  package var total: Int { countsByOwner.values.reduce(0, +) }

  /// `5 to node2, 7 to node3`.
  package var description: String {
    countsByOwner.sorted { $0.key < $1.key }.map { "\($0.value) to \($0.key)" }.joined(separator: ", ")
  }

  /// Counts those of a shard. `otherOwner` names the node that owns a slot, or is nil where this one does.
  package mutating func add(
    shard number: Int, of values: borrowing Directory, otherOwner: (Slot) -> String?
  ) throws(SystemError) {
    try Walk.forEachKey(shard: number, of: values) { _, slot in
      valueCount += 1
      if let owner = otherOwner(slot) { countsByOwner[owner, default: 0] += 1 }
    }
  }

  /// Counts those of a whole data directory, whoever serves it; nil where there is none.
  package static func count(
    dataDirectory path: String, otherOwner: (Slot) -> String?
  ) throws(SystemError) -> Stranded? {
    let root: Directory
    do throws(SystemError) { root = try Directory(path: path) } catch {
      if error.isAbsent { return nil }
      throw error
    }
    guard let values = try root.directory(StoreName.values) else { return nil }
    var stranded = Stranded()
    for (number, shard) in ValuePath.shards.enumerated() where try values.status(of: shard) != nil {
      try stranded.add(shard: number, of: values, otherOwner: otherOwner)
    }
    return stranded
  }
}
