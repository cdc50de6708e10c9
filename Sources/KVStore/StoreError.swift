import KVCore
import KVHTTP
import KVLinux

/// Why the store did not do what it was asked. The cases divide by what the caller does about them.
package enum StoreError: Error, Equatable, Sendable {
  /// No room above the reserve: whoever asked may free space and try again.
  case full(detail: String)
  /// A sync failed earlier, so the store takes no further change until it is restarted.
  case readOnly(reason: String)
  /// Another process keeps a directory to itself: whoever asked may try again.
  case locked(directory: String)
  /// Other nodes have a say about the key too, so that nothing is done without them.
  case shared
  /// A round that others have begun about the key is above this attempt.
  case outbid
  /// The value on disk is not what was stored.
  case damaged(detail: String)
  /// The key's value is not as the request demands.
  case preconditionFailed
  /// The key's value came with the same idempotency key, and is another.
  case repeatedOtherwise
  /// Anything else that the file system refused.
  case failed(SystemError)

  /// The error as it is told to whoever asked about the key.
  package func failure(_ operation: KVCore.Operation, _ key: Key) -> Failure {
    Failure(kind, "\(operation.rawValue) \(key): \(reason)")
  }

  /// The error in words, without the key.
  package var reason: String {
    switch self {
    case .full(let detail): detail
    case .readOnly(let reason): "the store is read-only: \(reason)"
    case .locked(let directory): "another process, such as a check that stands still, has \(directory) locked"
    case .shared: "other nodes have a say about it now; try again"
    case .outbid: "others are writing it all the time; try again"
    case .damaged(let detail): "the stored value is damaged: \(detail)"
    case .preconditionFailed: "the precondition does not hold"
    case .repeatedOtherwise: "another value was stored with the same \(IdempotencyKey.fieldName)"
    case .failed(let error): "\(error)"
    }
  }

  private var kind: Failure.Kind {
    switch self {
    case .full: .diskFull
    case .readOnly, .locked, .shared, .outbid: .unavailable
    case .preconditionFailed: .preconditionFailed
    case .repeatedOtherwise: .repeatedOtherwise
    case .damaged, .failed: .storeFailed
    }
  }
}

/// Under which condition a value may be replaced or removed; decided on the owner, together with the change.
package struct WriteCondition: Sendable {
  package static let none = WriteCondition(Preconditions(), for: .put)

  /// What came with the same token holds no condition against itself.
  let request: RequestToken?
  private let preconditions: Preconditions
  private let operation: KVCore.Operation

  package init(_ preconditions: Preconditions, for operation: KVCore.Operation, repeating request: RequestToken? = nil)
  {
    self.request = request
    self.preconditions = preconditions
    self.operation = operation
  }

  /// Whether it holds whatever the key's value is.
  package var isEmpty: Bool { preconditions.isEmpty }

  /// Fails unless the condition holds for the key's value, or for its absence. To delete what is not there fails by itself,
  /// and then its conditions do not count (RFC 9110 section 13.2.1).
  package func check(_ state: ValueState?) throws(StoreError) {
    if state == nil && operation == .delete { return }
    guard preconditions.evaluate(state, for: operation) == .proceed else { throw .preconditionFailed }
  }
}
