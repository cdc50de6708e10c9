import Glibc

/// A point of CLOCK_MONOTONIC, in nanoseconds (clock_gettime(2)).
public struct Instant: Comparable, Sendable {
  let nanoseconds: Int64

  /// The time now.
  public static var now: Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

  /// The time so long after now.
  public static func after(_ duration: Duration) -> Instant {
    let (seconds, attoseconds) = duration.components
    return Instant(nanoseconds: now.nanoseconds + seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  /// How long ago another instant was.
  public func since(_ earlier: Instant) -> Duration { .nanoseconds(nanoseconds - earlier.nanoseconds) }

  /// Earlier comes first.
  public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Nanoseconds since 1970-01-01T00:00:00Z by the wall clock.
  public static var wallNanoseconds: Int64 { read(CLOCK_REALTIME) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    // Neither clock can fail: both exist on every kernel, and the pointer is ours.
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

extension Duration {
  /// The duration in seconds.
  public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
