import KVHTTP

/// What is known of a value beyond its bytes, as the extended attribute `user.kvnode` of its file holds it.
///
/// docs/value-format.md specifies the layout byte by byte. It has 34 bytes: below 40, ext4 keeps an attribute
/// inside the inode; above, a further block is read for every value.
package struct ValueAttribute: Equatable, Sendable {
  /// The extended attribute's name (xattr(7)).
  package static let name = "user.kvnode"
  /// The size of the encoded attribute.
  package static let byteCount = 34

  /// How many bytes the value has.
  package var valueBytes: Int
  /// When the value was committed, in nanoseconds since 1970-01-01T00:00:00Z.
  package var committedAtNanoseconds: Int64
  /// The value's XXH3-128 checksum in canonical (big-endian) order: 16 bytes.
  package var checksum: ValueChecksum

  private static let version: UInt8 = 1
  private static let algorithmXXH3128: UInt8 = 1

  /// An attribute for a value just staged.
  package init(valueBytes: Int, committedAtNanoseconds: Int64, checksum: ValueChecksum) {
    self.valueBytes = valueBytes
    self.committedAtNanoseconds = committedAtNanoseconds
    self.checksum = checksum
  }

  /// The attribute's bytes.
  package var encoded: [UInt8] {
    [Self.version, Self.algorithmXXH3128] + BigEndian.bytes(Int64(valueBytes)) + BigEndian.bytes(committedAtNanoseconds)
      + checksum.bytes
  }

  /// Reads an attribute, refusing what this version did not write.
  package init(decoding bytes: [UInt8]) throws(ValueAttributeError) {
    guard let version = bytes.first else { throw .wrongByteCount(0) }
    guard version == Self.version else { throw .unknownVersion(version) }
    guard bytes.count == Self.byteCount else { throw .wrongByteCount(bytes.count) }
    guard bytes[1] == Self.algorithmXXH3128 else { throw .unknownAlgorithm(bytes[1]) }
    valueBytes = Int(BigEndian.integer(bytes[2..<10]))
    committedAtNanoseconds = BigEndian.integer(bytes[10..<18])
    guard valueBytes >= 0 else { throw .negativeLength(valueBytes) }
    checksum = ValueChecksum(
      high: UInt64(bitPattern: BigEndian.integer(bytes[18..<26])),
      low: UInt64(bitPattern: BigEndian.integer(bytes[26..<34])))
  }
}

/// Integers of eight bytes, most significant first, as they stand in attributes and in the index.
package enum BigEndian {
  /// The eight bytes.
  package static func bytes(_ value: Int64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
  }

  /// The integer of eight bytes.
  package static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 { bytes.reduce(0) { $0 << 8 | Int64($1) } }
}

/// Why an attribute cannot be used. The value is then served as unverified.
package enum ValueAttributeError: Error, Equatable {
  case wrongByteCount(Int)
  case unknownVersion(UInt8)
  case unknownAlgorithm(UInt8)
  case negativeLength(Int)
}

/// A value's XXH3-128 checksum (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
package struct ValueChecksum: Hashable, Sendable, CustomStringConvertible {
  /// The upper 64 bits.
  package let high: UInt64
  /// The lower 64 bits.
  package let low: UInt64

  /// A checksum from its two halves.
  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The 16 bytes in canonical order, most significant first, as `xxhsum -H128` prints them.
  package var bytes: [UInt8] {
    (0..<16).map { index in
      let half = index < 8 ? high : low
      return UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * (index % 8)))
    }
  }

  /// 32 hex digits.
  package var description: String { Hexadecimal.digits(bytes) }

  /// What stands between the quotes of the value's entity tag. Bare hex digits would look like an MD5 to clients that
  /// compare tags with what they have computed.
  package var entityTag: String { Self.entityTagPrefix + description }

  /// Reads an entity tag without its quotes; bare digits, as earlier versions sent them, are taken too.
  package init?(entityTag: some StringProtocol) {
    let prefix = Self.entityTagPrefix
    let digits = entityTag.hasPrefix(prefix) ? entityTag.dropFirst(prefix.count) : entityTag[...]
    // The standard library's initializer also takes a sign.
    guard digits.utf8.count == 32, digits.utf8.allSatisfy({ HTTPByte.hexadecimalValue($0) != nil }),
      let high = UInt64(digits.prefix(16), radix: 16), let low = UInt64(digits.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  private static let entityTagPrefix = "xxh3-"
}
