import KVLinux
import Synchronization

/// Passes one non-copyable value into a task: closures of tasks cannot consume what they capture.
package final class Handoff<Value: ~Copyable & Sendable>: Sendable {
  private let slot: Mutex<Value?>

  package init(_ value: consuming sending Value) { slot = Mutex(value) }

  /// The value; asking twice is our mistake.
  package func take() -> Value {
    guard let value = slot.withLock({ $0.take() }) else { preconditionFailure("a hand-off was taken twice") }
    return value
  }
}
