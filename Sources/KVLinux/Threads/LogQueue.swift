import DequeModule
import Glibc
import KVCore
import Synchronization

/// Log entries on their way to somewhere that may block: a pipe or a journal that nobody reads must hold up nothing.
///
/// They wait in a queue for a thread of their own. Where it is full, an entry is dropped and counted, and once there is
/// room again the log tells how many those were.
package final class LogQueue<Entry: Sendable>: Sendable {
  private struct State {
    var entries = Deque<Entry>()
    /// Dropped since the log last told of it.
    var untoldCount = 0
    var droppedCount = 0
    var isWriting = false
  }

  private static var entriesMax: Int { 1024 }
  private static var flushNapMicroseconds: UInt32 { 1000 }

  private let write: @Sendable (Entry) -> Void
  private let told: @Sendable (_ droppedCount: Int) -> Entry
  private let state = Mutex(State())
  private let arrived = Semaphore()

  /// A queue to what `write` writes to; `told` makes the entry that tells of dropped ones.
  package init(
    write: @escaping @Sendable (Entry) -> Void, told: @escaping @Sendable (_ droppedCount: Int) -> Entry
  ) throws(SystemError) {
    self.write = write
    self.told = told
    try Thread.start(named: "log") { [self] in runThread() }
  }

  /// How many entries have been dropped.
  package var droppedCount: Int { state.withLock { $0.droppedCount } }

  /// Takes an entry. Never waits.
  package func push(_ entry: Entry) {
    let isTaken = state.withLock { state in
      guard state.entries.count < Self.entriesMax else {
        state.droppedCount += 1
        state.untoldCount += 1
        return false
      }
      state.entries.append(entry)
      return true
    }
    if isTaken { arrived.signal() }
  }

  /// Waits until all entries are written, for so long at most: to be called at the end of the process.
  package func flush(within timeout: Duration) {
    let deadline = Instant.after(timeout)
    while state.withLock({ !$0.entries.isEmpty || $0.isWriting }), Instant.now < deadline {
      usleep(Self.flushNapMicroseconds)
    }
  }

  private func runThread() {
    while true {
      arrived.wait()
      let entry = state.withLock { state in
        state.isWriting = true
        return state.entries.popFirst()
      }
      if let entry { write(entry) }
      let untoldCount = state.withLock { state in
        defer { state.untoldCount = 0 }
        return state.untoldCount
      }
      if untoldCount > 0 { write(told(untoldCount)) }
      state.withLock { $0.isWriting = false }
    }
  }
}
