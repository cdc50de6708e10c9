import KVCore
import KVLinux

/// Why the store did not do what it was asked. The cases divide by what the caller does about them.
enum StoreError: Error, Equatable, Sendable {
  /// No room above the reserve: whoever asked may free space and try again.
  case full(detail: String)
  /// A sync failed earlier, so the store takes no further change until it is restarted.
  case readOnly(reason: String)
  /// Another process keeps a directory to itself: whoever asked may try again.
  case locked(directory: String)
  /// The value on disk is not what was stored.
  case damaged(detail: String)
  /// The key's value is not as the request demands.
  case preconditionFailed
  /// Anything else that the file system refused.
  case failed(SystemError)

  /// The error as it is told to whoever asked about the key.
  func failure(_ operation: KVCore.Operation, _ key: Key) -> Failure {
    Failure(kind, "\(operation.rawValue) \(key): \(reason)")
  }

  /// The error in words, without the key.
  var reason: String {
    switch self {
    case .full(let detail): detail
    case .readOnly(let reason): "the store is read-only: \(reason)"
    case .locked(let directory): "another process, such as a check that stands still, has \(directory) locked"
    case .damaged(let detail): "the stored value is damaged: \(detail)"
    case .preconditionFailed: "the precondition does not hold"
    case .failed(let error): "\(error)"
    }
  }

  private var kind: Failure.Kind {
    switch self {
    case .full: .diskFull
    case .readOnly, .locked: .unavailable
    case .preconditionFailed: .preconditionFailed
    case .damaged, .failed: .storeFailed
    }
  }
}
