import Glibc
import KVCore
import KVHTTP

extension Instant {
  /// The time now, by CLOCK_MONOTONIC (clock_gettime(2)).
  package static var now: Instant { Instant(nanoseconds: read(CLOCK_MONOTONIC)) }

  /// The time so long after now.
  package static func after(_ duration: Duration) -> Instant { now.advanced(by: duration) }

  /// Nanoseconds since 1970-01-01T00:00:00Z by the wall clock.
  package static var wallNanoseconds: Int64 { read(CLOCK_REALTIME) }

  /// Microseconds since 1970 by the wall clock; 0 where it stands before that.
  package static var wallMicroseconds: UInt64 { UInt64(max(wallNanoseconds, 0) / 1000) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    // Neither clock can fail: both exist on every kernel, and the pointer is ours.
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

extension HTTPDate {
  /// The time now, by the wall clock.
  package static var now: HTTPDate { HTTPDate(nanosecondsSince1970: Instant.wallNanoseconds) }
}

/// The wall clock's time as log lines bear it.
package enum Timestamp {
  /// The time now, by the host's time zone: `2026-11-28T16:44:56+0000`.
  package static var now: String {
    var seconds = time_t(Instant.wallNanoseconds / 1_000_000_000)
    var parts = tm()
    localtime_r(&seconds, &parts)
    var text = [CChar](repeating: 0, count: 32)
    let count = strftime(&text, text.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
