import Synchronization

/// How many values the store holds and how many bytes they have, kept up to date without walking the disk.
///
/// Each shard is counted once after the start, while values come and go; a shard that changed meanwhile is counted
/// again. From then on every change adds its difference.
package final class StoreUsage: Sendable {
  /// Values and their bytes.
  package struct Count: Equatable, Sendable {
    package var values = 0
    package var bytes = 0
  }

  private struct Shard {
    var count: Count?
    var changesBegun = 0
    var changesEnded = 0
  }

  /// A look at a shard that is about to be counted.
  package struct Glimpse: Equatable {
    fileprivate let changesBegun: Int
    fileprivate let changesEnded: Int
  }

  private let shards = Mutex([Int: Shard]())

  /// The sum over the shards counted so far, and how many those are.
  package var total: (count: Count, shardCount: Int) {
    shards.withLock { shards in
      var total = Count()
      let counts = shards.values.compactMap(\.count)
      for count in counts {
        total.values += count.values
        total.bytes += count.bytes
      }
      return (total, counts.count)
    }
  }

  /// How many shards have not been counted yet.
  package var uncountedCount: Int { ValuePath.shards.count - total.shardCount }

  /// Whether the totals are known.
  package var isCounted: Bool { uncountedCount == 0 }

  /// A value of the shard is about to be added, removed or replaced, or what is recorded beside it changed.
  package func beginChange(shard: Int) { shards.withLock { $0[shard, default: Shard()].changesBegun += 1 } }

  /// It has been, or the attempt has failed; nil stands for no value.
  package func endChange(shard: Int, from oldBytes: Int?, to newBytes: Int?) {
    shards.withLock { shards in
      shards[shard, default: Shard()].changesEnded += 1
      guard var count = shards[shard]?.count else { return }
      // A file that was put into place by hand is not in the count until a walk has seen it, and may be removed before.
      count.values = max(count.values + (newBytes == nil ? 0 : 1) - (oldBytes == nil ? 0 : 1), 0)
      count.bytes = max(count.bytes + (newBytes ?? 0) - (oldBytes ?? 0), 0)
      shards[shard]?.count = count
    }
  }

  /// To be taken before a shard is counted.
  package func glimpse(shard: Int) -> Glimpse {
    shards.withLock { shards in
      let shard = shards[shard] ?? Shard()
      return Glimpse(changesBegun: shard.changesBegun, changesEnded: shard.changesEnded)
    }
  }

  /// Whether the shard was not changing at a glimpse, and has not changed since.
  func isUnchanged(shard: Int, since glimpse: Glimpse) -> Bool {
    glimpse.changesBegun == glimpse.changesEnded && self.glimpse(shard: shard) == glimpse
  }

  /// Takes note that somebody else has changed something in the shard.
  package func noteChange(shard: Int) {
    beginChange(shard: shard)
    endChange(shard: shard, from: nil, to: nil)
  }

  /// Takes in a count, unless the shard was changing when it began or has changed since: then false, and it must be
  /// counted again.
  package func record(shard: Int, _ count: Count, since glimpse: Glimpse) -> Bool {
    shards.withLock { shards in
      let now = shards[shard] ?? Shard()
      guard glimpse.changesBegun == glimpse.changesEnded, now.changesBegun == glimpse.changesBegun else { return false }
      shards[shard, default: Shard()].count = count
      return true
    }
  }
}
