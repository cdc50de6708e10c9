import KVCore
import KVLinux

/// What a scrub has to tell on its way.
public enum ScrubEvent: Equatable, Sendable {
  /// A value is not what was stored.
  case damaged(ScrubFinding)
  /// A value was found damaged earlier and moved away, and its key has been neither stored anew nor deleted since. Both
  /// paths are below the data directory: where it was, and where it was moved to.
  case lost(Key, path: String, quarantinePath: String)
  /// A file or directory, at that path below the data directory, could not be looked at; the scrub went on.
  case unchecked(path: String, SystemError)
}
