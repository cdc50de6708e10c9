import KVLinux
import Synchronization

/// The pipes that relays share. One is lent only while it holds bytes, and only so many are made: an
/// unprivileged user whose pipes take 64 MiB gets none of a useful size any more.
package final class PipePool: Sendable {
  private struct State {
    var idle: [Handoff<Pipe>] = []
    var madeCount = 0
    var refusedCount = 0
  }

  /// With a pipe of 1 MiB each, three quarters of what an unprivileged user gets.
  private static let pipesMax = 48

  private let state = Mutex(State())

  /// A pool without pipes yet.
  package init() {}

  /// A pipe that holds nothing, or nil where none is to be had: whoever asks copies instead.
  package func take() -> Pipe? {
    let (idle, mayMake) = state.withLock { state -> (Handoff<Pipe>?, Bool) in
      if let pipe = state.idle.popLast() { return (pipe, false) }
      guard state.madeCount < Self.pipesMax else {
        state.refusedCount += 1
        return (nil, false)
      }
      state.madeCount += 1
      return (nil, true)
    }
    if let idle { return idle.take() }
    guard mayMake else { return nil }
    // Without descriptors or room for pipes the bytes are copied; nothing fails.
    if let made = (try? Pipe.make()) ?? nil { return made }
    state.withLock { state in
      state.madeCount -= 1
      state.refusedCount += 1
    }
    return nil
  }

  /// How often bytes had to be copied because no pipe was to be had.
  package var refusedCount: Int { state.withLock { $0.refusedCount } }

  /// Takes a pipe back. One that still holds bytes is closed: they must never reach another client.
  package func put(_ pipe: consuming Pipe) {
    guard pipe.byteCount == 0 else { return forget() }
    let idle = Handoff(pipe)
    state.withLock { $0.idle.append(idle) }
  }

  /// How many pipes there are, and how many of them nobody has borrowed.
  package var counts: (made: Int, idle: Int) { state.withLock { ($0.madeCount, $0.idle.count) } }

  /// Says that a lent pipe is not coming back.
  package func forget() { state.withLock { $0.madeCount -= 1 } }
}

/// Passes one non-copyable value into a task: closures of tasks cannot consume what they capture.
package final class Handoff<Value: ~Copyable & Sendable>: Sendable {
  private let slot: Mutex<Value?>

  package init(_ value: consuming sending Value) { slot = Mutex(value) }

  /// The value; asking twice is our mistake.
  package func take() -> Value {
    guard let value = slot.withLock({ $0.take() }) else { preconditionFailure("a hand-off was taken twice") }
    return value
  }
}
