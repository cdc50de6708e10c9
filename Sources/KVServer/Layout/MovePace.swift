import KVCore
import KVLinux
import Synchronization

/// How fast values come here because they move, or were missed: no faster than `MoveRate=`, and at a quarter of that while clients are
/// served, who go first.
final class MovePace: Sendable {
  private let current: CurrentCluster
  private let metrics: Metrics
  private let count: @Sendable (Int) -> Void
  private let pace = Mutex(Pace())

  /// A pace of its own; `count` takes note of what comes.
  init(_ current: CurrentCluster, _ metrics: Metrics, count: @escaping @Sendable (Int) -> Void) {
    (self.current, self.metrics, self.count) = (current, metrics, count)
  }

  /// Takes note of bytes that have come, and waits until the next may.
  func moved(_ byteCount: Int) async {
    count(byteCount)
    guard var rate = current.value.configuration.moveBytesPerSecondMax else { return }
    if metrics.foregroundCount > 0 { rate /= Self.servingPart }
    let due = pace.withLock { $0.due(after: byteCount, bytesPerSecond: rate, at: .now) }
    _ = await IOExecutor.current.wait(until: due)
  }

  private static let servingPart = 4
}

/// When the next bytes may come, so that the sum keeps to a rate.
struct Pace {
  /// What was not used is not saved for longer than this.
  static let burst = Duration.milliseconds(100)

  private var free: Instant?

  /// So many bytes have come by then.
  mutating func due(after byteCount: Int, bytesPerSecond: Int, at now: Instant) -> Instant {
    let earliest = now.advanced(by: .zero - Self.burst)
    let begin = free.map { max($0, earliest) } ?? now
    let due = begin.advanced(by: .seconds(1) * (Double(byteCount) / Double(bytesPerSecond)))
    free = due
    return due
  }
}
