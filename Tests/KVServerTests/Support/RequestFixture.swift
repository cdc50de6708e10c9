@testable import KVCore

extension Request {
  /// A request with its options in one expression.
  init(
    operation: KVCore.Operation, key: Key, body: BodyFraming = .none, valueBytes: Int? = nil, relayed: RelayMark? = nil
  ) {
    self.init(operation, key)
    self.body = body
    self.valueBytes = valueBytes
    self.relayed = relayed
  }
}
