import KVCore

/// Under which condition a value may be replaced or removed; decided on the owner, together with the change.
struct WriteCondition {
  static let none = WriteCondition(Preconditions(), for: .put, now: HTTPDate(secondsSince1970: 0))

  private let preconditions: Preconditions
  private let operation: KVCore.Operation
  private let now: HTTPDate

  init(_ preconditions: Preconditions, for operation: KVCore.Operation, now: HTTPDate) {
    self.preconditions = preconditions
    self.operation = operation
    self.now = now
  }

  /// Whether it holds whatever the key's value is.
  var isEmpty: Bool { preconditions.isEmpty }

  /// Fails unless the condition holds for the key's value, or for its absence.
  func check(_ state: ValueState?) throws(StoreError) {
    guard preconditions.evaluate(state, for: operation, now: now) == .proceed else { throw .preconditionFailed }
  }
}
