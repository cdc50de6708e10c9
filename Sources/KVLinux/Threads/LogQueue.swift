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
    /// Whether the thread is awake and will look at the queue again.
    var isAwake = false
  }

  private static var entriesMax: Int { 1024 }
  private static var flushNapMicroseconds: UInt32 { 1000 }
  /// How long the thread lets entries gather: waking it for each would cost whoever logs more than the rest.
  private static var gatherNapMicroseconds: UInt32 { 5000 }

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
    let wakesThread = state.withLock { state in
      guard state.entries.count < Self.entriesMax else {
        state.droppedCount += 1
        state.untoldCount += 1
        return false
      }
      state.entries.append(entry)
      defer { state.isAwake = true }
      return !state.isAwake
    }
    if wakesThread { arrived.signal() }
  }

  /// Waits until all entries are written, for so long at most: to be called at the end of the process.
  package func flush(within timeout: Duration) {
    let deadline = Instant.after(timeout)
    while state.withLock({ $0.isAwake }), Instant.now < deadline { usleep(Self.flushNapMicroseconds) }
  }

  private func runThread() {
    while true {
      arrived.wait()
      usleep(Self.gatherNapMicroseconds)
      while let entry = next() { write(entry) }
    }
  }

  /// The next entry to be written; nil where there is none, and the thread is to be woken for the next.
  private func next() -> Entry? {
    let (entry, untoldCount) = state.withLock { state -> (Entry?, Int) in
      // What was dropped comes after what was ahead of it in the queue, and before what is to come.
      if state.untoldCount > 0, state.entries.count < Self.entriesMax {
        defer { state.untoldCount = 0 }
        return (nil, state.untoldCount)
      }
      let entry = state.entries.popFirst()
      state.isAwake = entry != nil
      return (entry, 0)
    }
    return untoldCount > 0 ? told(untoldCount) : entry
  }
}
