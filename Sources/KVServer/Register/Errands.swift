import KVLinux
import Synchronization

/// Work that goes on after whoever began it has its answer: an owner that is slower than the others is not waited for, and
/// still hears what they have decided.
final class Errands: Sendable {
  typealias Errand = @Sendable () async -> Void

  /// Each may wait for a node that hangs.
  private static let countMax = 4096

  private let errands: AsyncStream<Errand>
  private let entry: AsyncStream<Errand>.Continuation
  private let count = Atomic(0)

  init() {
    (errands, entry) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.countMax))
  }

  /// Has it done. False where there are too many, or the node is stopping.
  func take(_ errand: @escaping Errand) -> Bool {
    guard count.add(1, ordering: .relaxed).newValue <= Self.countMax else {
      count.subtract(1, ordering: .relaxed)
      return false
    }
    if case .enqueued = entry.yield(errand) { return true }
    count.subtract(1, ordering: .relaxed)
    return false
  }

  /// Does them until the task is cancelled.
  func run(on threads: IOExecutor) async {
    await withDiscardingTaskGroup { group in
      for await errand in errands {
        group.addTask(executorPreference: threads) {
          await errand()
          self.count.subtract(1, ordering: .relaxed)
        }
      }
    }
  }
}
