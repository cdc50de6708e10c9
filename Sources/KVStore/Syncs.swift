import KVCore
import KVLinux
import Synchronization

/// Makes files and directories durable. A sync may take as long as the disk likes, and whoever only reads must not wait
/// behind it: so only a few are done where they are asked for, which saves a change of threads, and all others on threads
/// of their own.
///
/// After a sync has failed, what the kernel dropped is gone and a second one would report success (fsync(2)): so nothing
/// is to be changed any more, and the reason is kept.
package final class Syncs: Sendable {
  private let durability: Durability
  /// The threads; nil where whoever calls may as well wait itself.
  private let threads: IOExecutor?
  private let failure = Mutex<SystemError?>(nil)
  private let count = Atomic<Int>(0)
  private let inPlaceCount = Atomic<Int>(0)

  /// How many disk threads may be held up by syncs at once.
  private static let inPlaceMax = 2

  /// Syncs as durable as that, on those threads.
  package init(_ durability: Durability, threads: IOExecutor?) {
    self.durability = durability
    self.threads = threads
  }

  /// Why nothing can be made durable any more, if that is so.
  package var failedReason: String? { failure.withLock { $0.map { "\($0)" } } }

  /// How many syncs have come back: while it grows, the disk is at work.
  package var finishedCount: Int { count.load(ordering: .relaxed) }

  /// Makes a file's content and attributes durable, if that is wanted.
  func sync(_ file: borrowing File) async throws(SystemError) {
    guard durability == .full else { return }
    guard let threads = takePlace() else {
      defer { leavePlace() }
      return try now(file)
    }
    try await withTaskExecutorPreference(threads) { () async throws(SystemError) in try now(file) }
  }

  /// Makes a directory's entries durable, if that is wanted.
  func sync(_ directory: borrowing Directory) async throws(SystemError) {
    guard durability == .full else { return }
    guard let threads = takePlace() else {
      defer { leavePlace() }
      return try now(directory)
    }
    try await withTaskExecutorPreference(threads) { () async throws(SystemError) in try now(directory) }
  }

  /// Makes a file durable on this thread, whatever is wanted.
  func now(_ file: borrowing File) throws(SystemError) {
    do throws(SystemError) { try file.sync() } catch { throw failed(error) }
    count.add(1, ordering: .relaxed)
  }

  /// Nil where the sync may be done on this thread, or else where it is to be done.
  private func takePlace() -> IOExecutor? {
    let isFirst = inPlaceCount.add(1, ordering: .relaxed).newValue <= Self.inPlaceMax
    guard let threads, !isFirst else { return nil }
    leavePlace()
    return threads
  }

  private func leavePlace() { inPlaceCount.subtract(1, ordering: .relaxed) }

  private func now(_ directory: borrowing Directory) throws(SystemError) {
    do throws(SystemError) { try directory.sync() } catch { throw failed(error) }
    count.add(1, ordering: .relaxed)
  }

  /// Takes note of a sync that has failed.
  func failed(_ error: SystemError) -> SystemError {
    failure.withLock { $0 = $0 ?? error }
    return error
  }
}
