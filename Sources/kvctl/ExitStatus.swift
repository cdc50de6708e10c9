/// How kvctl ends when it does not end well. Scripts rely on the numbers; kvctl(1) documents them.
enum ExitStatus: Int32, Sendable {
  /// Anything that has no number of its own.
  case failure = 1
  case noSuchKey = 2
  /// Bytes that arrived or lie on a disk are not those that were stored.
  case checksumMismatch = 3
  /// A node could not be reached, cannot serve now, or its connection broke.
  case unreachable = 4
  /// The key's value is not as `--if-match` or `--if-absent` demands.
  case preconditionFailed = 5
  /// A command line that means nothing (sysexits.h).
  case usage = 64
  /// A configuration that cannot be used (sysexits.h).
  case configuration = 78
}
