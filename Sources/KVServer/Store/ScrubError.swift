import KVLinux

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
