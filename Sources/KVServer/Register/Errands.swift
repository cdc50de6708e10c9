import KVCluster
import KVCore
import KVLinux
import Synchronization

/// Work that goes on after whoever began it has its answer: an owner that is slower than the others is not waited for, and
/// still hears what they have decided.
final class Errands: Sendable {
  typealias Errand = @Sendable () async -> Void

  /// How many there may be about one member: each may wait for a node that hangs, and must not keep others from being asked.
  private static let countMax = 1024

  private let errands: AsyncStream<Errand>
  private let entry: AsyncStream<Errand>.Continuation
  private let counts = Mutex<[Member?: Int]>([:])

  init() { (errands, entry) = AsyncStream.makeStream() }

  /// Has it done. False where there are too many about that member, or the node is stopping.
  func take(about member: Member?, _ errand: @escaping Errand) -> Bool {
    let hasRoom = counts.withLock { counts in
      guard counts[member, default: 0] < Self.countMax else { return false }
      counts[member, default: 0] += 1
      return true
    }
    guard hasRoom else { return false }
    let counted: Errand = {
      await errand()
      self.end(about: member)
    }
    if case .enqueued = entry.yield(counted) { return true }
    end(about: member)
    return false
  }

  private func end(about member: Member?) {
    counts.withLock { counts in
      let left = counts[member, default: 1] - 1
      counts[member] = left > 0 ? left : nil
    }
  }

  /// Does them until the task is cancelled.
  func run(on threads: IOExecutor) async {
    await withDiscardingTaskGroup { group in
      for await errand in errands { group.addTask(executorPreference: threads) { await errand() } }
    }
  }
}
