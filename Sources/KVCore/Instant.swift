/// A point of a monotonic clock, in nanoseconds. Whoever decides by the time is given it.
package struct Instant: Comparable, Sendable {
  /// Nanoseconds since the clock's beginning.
  package let nanoseconds: Int64

  /// A point that a clock has told.
  package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

  /// How long ago another instant was.
  package func since(_ earlier: Instant) -> Duration { .nanoseconds(nanoseconds - earlier.nanoseconds) }

  /// The time so long after this.
  package func advanced(by duration: Duration) -> Instant {
    let (seconds, attoseconds) = duration.components
    return Instant(nanoseconds: nanoseconds + seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  /// Earlier comes first.
  package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
}

extension Duration {
  /// The duration in seconds.
  package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
