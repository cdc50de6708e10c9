import KVCore
import KVLinux

extension HTTPDate {
  /// The time now, by the wall clock.
  static var now: HTTPDate { HTTPDate(secondsSince1970: Int(Instant.wallNanoseconds / 1_000_000_000)) }
}
