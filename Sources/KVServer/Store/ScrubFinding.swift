import KVCore
import KVLinux

/// A stored value that is not what was stored.
public struct ScrubFinding: Equatable, Sendable {
  /// What is wrong with it.
  public enum Fault: Equatable, Sendable, CustomStringConvertible {
    /// The bytes have another checksum than the one that was recorded.
    case checksum(recorded: ValueChecksum, found: ValueChecksum)
    /// The file has another length than the one that was recorded.
    case length(recordedBytes: Int, foundBytes: Int)
    /// The disk does not give the bytes.
    case unreadable(SystemError)

    /// Whether the value is lost, whatever a second try would give.
    var isCertain: Bool { if case .unreadable = self { false } else { true } }

    /// The fault in words.
    public var description: String {
      switch self {
      case .checksum(let recorded, let found): "its checksum is \(found), stored was \(recorded)"
      case .length(let recordedBytes, let foundBytes): "it has \(foundBytes) bytes, stored were \(recordedBytes)"
      case .unreadable(let error): "it cannot be read: \(error)"
      }
    }
  }

  /// The value's key.
  public let key: Key
  /// Its file below the data directory: `values/12/hashme`.
  public let path: String
  /// What is wrong.
  public let fault: Fault
  /// Where it was moved to, below the data directory, or nil where it still lies.
  public var quarantinePath: String?
}

/// What a scrub has gone through.
public struct ScrubSummary: Equatable, Sendable {
  /// How many values were there.
  public var values = 0
  /// How many bytes they have.
  public var bytes = 0
  /// How many of them are not what was stored.
  public var damaged = 0
  /// How many of the damaged ones were moved to `quarantine/`.
  public var quarantined = 0
  /// How many have no recorded checksum, so that nothing can be said of them.
  public var unverified = 0
  /// How many files lie among the values that no PUT would have named so. kvnode does not serve them.
  public var strays = 0

  /// Nothing yet.
  public init() {}
}

/// Why a scrub did not get to its end.
public enum ScrubError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file system refused something.
  case failed(path: String, SystemError)
  /// The task was cancelled.
  case cancelled

  /// One line that names the file.
  public var description: String {
    switch self {
    case .failed(let path, let error): "\(path): \(error)"
    case .cancelled: "cancelled"
    }
  }
}
