/// What is known of a value beyond its bytes, as the extended attribute `user.kvnode` of its file holds it.
///
/// docs/value-format.md specifies the layout byte by byte. It has 34 bytes: below 40, ext4 keeps an attribute
/// inside the inode; above, a further block is read for every value.
public struct ValueAttribute: Equatable, Sendable {
  /// The extended attribute's name (xattr(7)).
  public static let name = "user.kvnode"
  /// The size of the encoded attribute.
  public static let byteCount = 34

  /// How many bytes the value has.
  public var valueBytes: Int
  /// When the value was committed, in nanoseconds since 1970-01-01T00:00:00Z.
  public var committedAtNanoseconds: Int64
  /// The value's XXH3-128 checksum in canonical (big-endian) order: 16 bytes.
  public var checksum: ValueChecksum

  private static let version: UInt8 = 1
  private static let algorithmXXH3128: UInt8 = 1

  /// An attribute for a value just staged.
  public init(valueBytes: Int, committedAtNanoseconds: Int64, checksum: ValueChecksum) {
    self.valueBytes = valueBytes
    self.committedAtNanoseconds = committedAtNanoseconds
    self.checksum = checksum
  }

  /// The attribute's bytes.
  public var encoded: [UInt8] {
    [Self.version, Self.algorithmXXH3128] + Self.bigEndian(Int64(valueBytes)) + Self.bigEndian(committedAtNanoseconds)
      + checksum.bytes
  }

  /// Reads an attribute, refusing what this version did not write.
  public init(decoding bytes: [UInt8]) throws(ValueAttributeError) {
    guard let version = bytes.first else { throw .wrongByteCount(0) }
    guard version == Self.version else { throw .unknownVersion(version) }
    guard bytes.count == Self.byteCount else { throw .wrongByteCount(bytes.count) }
    guard bytes[1] == Self.algorithmXXH3128 else { throw .unknownAlgorithm(bytes[1]) }
    valueBytes = Int(Self.integer(bytes[2..<10]))
    committedAtNanoseconds = Self.integer(bytes[10..<18])
    guard valueBytes >= 0 else { throw .negativeLength(valueBytes) }
    checksum = ValueChecksum(
      high: UInt64(bitPattern: Self.integer(bytes[18..<26])),
      low: UInt64(bitPattern: Self.integer(bytes[26..<34])))
  }

  private static func bigEndian(_ value: Int64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
  }

  private static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 {
    bytes.reduce(0) { $0 << 8 | Int64($1) }
  }
}

/// Why an attribute cannot be used. The value is then served as unverified.
public enum ValueAttributeError: Error, Equatable {
  case wrongByteCount(Int)
  case unknownVersion(UInt8)
  case unknownAlgorithm(UInt8)
  case negativeLength(Int)
}
