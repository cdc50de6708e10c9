import Synchronization

/// Passes one non-copyable value into a task: closures of tasks cannot consume what they capture.
final class Handoff<Value: ~Copyable & Sendable>: Sendable {
  private let slot: Mutex<Value?>

  init(_ value: consuming sending Value) { slot = Mutex(value) }

  func take() -> Value {
    guard let value = slot.withLock({ $0.take() }) else { preconditionFailure("a hand-off was taken twice") }
    return value
  }
}
