import KVCore
import KVLinux

/// The time, as those see it who work at a steady pace. A test can stand in for it.
struct UpkeepClock: Sendable {
  /// The time now.
  let now: @Sendable () -> Instant
  /// Sleeps until then; false where the task was cancelled first.
  let sleep: @Sendable (Instant) async -> Bool

  /// The system's, on the threads of an executor.
  static let system = UpkeepClock(
    now: { .now }, sleep: { await IOExecutor.current.wait(until: $0) == .timedOut })
}

/// Something that a node does for itself, at a steady pace.
protocol Worker: Sendable {
  /// How long between two steps.
  var pace: Duration { get }

  /// Does it once, so much later than it should have begun.
  mutating func step(lateBy lag: Duration) async
}

extension Worker {
  /// Works until the task is cancelled.
  mutating func run(_ clock: UpkeepClock) async {
    var due = clock.now().advanced(by: pace)
    while await clock.sleep(due) {
      await step(lateBy: clock.now().since(due))
      due = clock.now().advanced(by: pace)
    }
  }
}
