import HeapModule
import KVCore

/// The deadlines of waits, the earliest first. A wait that ends before its own leaves its entry behind, to be dropped
/// when it comes to the top, or when such entries have become the most.
struct Deadlines {
  private struct Entry: Comparable {
    let at: Instant
    let token: UInt64

    static func < (left: Entry, right: Entry) -> Bool {
      left.at == right.at ? left.token < right.token : left.at < right.at
    }
  }

  /// How many entries of ended waits are let lie whatever the number of live ones.
  private static let staleMax = 1024

  private var heap = Heap<Entry>()

  /// How many entries there are, those of ended waits included.
  var count: Int { heap.count }

  /// Takes in the deadline of a wait.
  mutating func insert(_ deadline: Instant, token: UInt64) { heap.insert(Entry(at: deadline, token: token)) }

  /// Takes out the next wait whose deadline has passed, or returns nil where there is none.
  mutating func popOverdue(at now: Instant, isLive: (UInt64) -> Bool) -> UInt64? {
    while let entry = heap.min, entry.at <= now {
      heap.removeMin()
      if isLive(entry.token) { return entry.token }
    }
    return nil
  }

  /// The earliest deadline of a wait that goes on.
  mutating func earliest(isLive: (UInt64) -> Bool) -> Instant? {
    while let entry = heap.min {
      if isLive(entry.token) { return entry.at }
      heap.removeMin()
    }
    return nil
  }

  /// Drops the entries of ended waits once they are more than those of the live ones: so memory follows the waits, and
  /// each entry is looked at a few times at most.
  mutating func compact(liveCount: Int, isLive: (UInt64) -> Bool) {
    guard heap.count > 2 * liveCount + Self.staleMax else { return }
    heap = Heap(heap.unordered.filter { isLive($0.token) })
  }
}
