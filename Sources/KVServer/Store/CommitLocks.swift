import KVCore
import Synchronization

/// Locks under which a key's value is looked at and replaced or removed, so that a condition still holds when it is
/// acted on. Keys share a few locks; each is held for a handful of system calls that wait for no
/// disk, and for the lock of a directory that a check has.
final class CommitLocks: Sendable {
  private final class Lock: Sendable {
    let mutex = Mutex(())
  }

  private let locks = (0..<64).map { _ in Lock() }

  /// Runs the body while no other does for the same key.
  func withLock<Result, Failure: Error>(
    for key: Key, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let index = Int(UInt(bitPattern: key.hashValue) % UInt(locks.count))
    return try locks[index].mutex.withLock { _ throws(Failure) in try body() }
  }
}
