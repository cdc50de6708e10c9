import KVCore
import KVHTTP

extension ValueRequest {
  /// A request with its options in one expression.
  package init(
    operation: KVCore.Operation, key: Key, body: BodyFraming = .none, valueBytes: Int? = nil, relayed: RelayMark? = nil
  ) {
    self.init(operation, key)
    self.body = body
    self.valueBytes = valueBytes
    self.relayed = relayed
  }
}

extension HTTPDate {
  /// The moment that responses of the tests are dated.
  package static let fixture = HTTPDate(secondsSince1970: 784_111_777)
}

extension ValueHead {
  /// A value of the moment of the tests.
  package init(byteCount: Int, checksum: ValueChecksum?) {
    self.init(byteCount: byteCount, checksum: checksum, modifiedAt: .fixture)
  }
}
