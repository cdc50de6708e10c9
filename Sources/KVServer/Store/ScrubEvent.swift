import KVLinux

/// What a scrub has to tell on its way.
public enum ScrubEvent: Equatable, Sendable {
  /// A value is not what was stored.
  case damaged(ScrubFinding)
  /// A file or directory, at that path below the data directory, could not be looked at; the scrub went on.
  case unchecked(path: String, SystemError)
}
