import KVCore
import KVLinux

/// A value open for reading. It stays as it is even when the key is overwritten or deleted meanwhile.
public struct StoredValue: ~Copyable, Sendable {
  /// The file with the value's bytes.
  public let file: File
  /// How many bytes the value has.
  public let byteCount: Int
  /// What was recorded at commit, or nil where the file came here by other means: it is served unverified.
  public let attribute: ValueAttribute?

  init(file: consuming File, status: File.Status, attribute bytes: [UInt8]?) throws(StoreError) {
    self.file = file
    byteCount = status.byteCount
    attribute = bytes.flatMap { try? ValueAttribute(decoding: $0) }
    if let attribute, attribute.valueBytes != byteCount {
      throw .damaged(detail: "the file has \(byteCount) of \(attribute.valueBytes) bytes")
    }
  }
}
