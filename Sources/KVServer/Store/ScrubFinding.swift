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
  /// Where it was moved to, below the data directory, or nil where it still lies in its place.
  public var quarantinePath: String?
  /// Why it was not moved, where it should have been; or why the move may be undone by a power cut.
  public var moveError: SystemError?
}
