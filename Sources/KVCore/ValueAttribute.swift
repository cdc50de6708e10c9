import KVHTTP

/// What is known of a value beyond its bytes, as the extended attribute `user.kvnode` of its file holds it.
///
/// docs/value-format.md specifies the layout byte by byte. It has up to 63 bytes: up to 64, ext4 keeps an attribute inside
/// an inode of 256 bytes; above, a further block is read for every value.
package struct ValueAttribute: Equatable, Sendable {
  /// The extended attribute's name (xattr(7)).
  package static let name = "user.kvnode"
  /// The size of the encoded attribute, without a token and with one.
  package static let byteCount = 55
  package static let byteCountMax = 63
  /// The size that it had before values had ballots.
  package static let firstByteCount = 34

  /// How many bytes the value has.
  package var valueBytes: Int
  /// When the value was committed, in nanoseconds since 1970-01-01T00:00:00Z.
  package var committedAtNanoseconds: Int64
  /// The value's XXH3-128 checksum in canonical (big-endian) order: 16 bytes.
  package var checksum: ValueChecksum
  /// Which upload the bytes came with.
  package var upload: UploadID
  /// At which ballot the disk has accepted it.
  package var ballot: Ballot
  /// Whether the key was deleted: then the file has no bytes, and stands for none.
  package var isDeletion: Bool
  /// By what a request is recognised that comes once more, where the client has said it.
  package var request: RequestToken?

  private static let version: UInt8 = 2
  private static let firstVersion: UInt8 = 1
  private static let algorithmXXH3128: UInt8 = 1
  private static let deletionFlag: UInt8 = 1 << 0
  private static let requestFlag: UInt8 = 1 << 1

  /// An attribute for a value just staged.
  package init(
    valueBytes: Int, committedAtNanoseconds: Int64, checksum: ValueChecksum, upload: UploadID, ballot: Ballot,
    isDeletion: Bool = false, request: RequestToken? = nil
  ) {
    self.valueBytes = valueBytes
    self.committedAtNanoseconds = committedAtNanoseconds
    self.checksum = checksum
    self.upload = upload
    self.ballot = ballot
    self.isDeletion = isDeletion
    self.request = request
  }

  /// The attribute's bytes.
  package var encoded: [UInt8] {
    var bytes = [Self.version, Self.algorithmXXH3128]
    bytes += BigEndian.bytes(Int64(valueBytes)) + BigEndian.bytes(committedAtNanoseconds) + checksum.bytes
    bytes += BigEndian.bytes(upload.member.number) + BigEndian.bytes(Int64(bitPattern: upload.counter))
    bytes += BigEndian.bytes(Int64(bitPattern: ballot.counter)) + BigEndian.bytes(ballot.member.number)
    bytes.append((isDeletion ? Self.deletionFlag : 0) | (request == nil ? 0 : Self.requestFlag))
    return bytes + (request.map { BigEndian.bytes(Int64(bitPattern: $0.number)) } ?? [])
  }

  /// Reads an attribute, refusing what neither this version nor the one before it wrote.
  package init(decoding bytes: [UInt8]) throws(ValueAttributeError) {
    guard let version = bytes.first else { throw .wrongByteCount(0) }
    guard version == Self.version || version == Self.firstVersion else { throw .unknownVersion(version) }
    guard bytes.count >= Self.firstByteCount, bytes.count == Self.byteCount(version, bytes) else {
      throw .wrongByteCount(bytes.count)
    }
    guard bytes[1] == Self.algorithmXXH3128 else { throw .unknownAlgorithm(bytes[1]) }
    valueBytes = Int(BigEndian.integer(bytes[2..<10]))
    committedAtNanoseconds = BigEndian.integer(bytes[10..<18])
    guard valueBytes >= 0 else { throw .negativeLength(valueBytes) }
    checksum = ValueChecksum(
      high: UInt64(bitPattern: BigEndian.integer(bytes[18..<26])),
      low: UInt64(bitPattern: BigEndian.integer(bytes[26..<34])))
    if version == Self.version {
      upload = UploadID(member: Self.member(bytes[34..<36]), counter: Self.counter(bytes[36..<44]))
      ballot = Ballot(counter: Self.counter(bytes[44..<52]), member: Self.member(bytes[52..<54]))
      guard bytes[54] & ~(Self.deletionFlag | Self.requestFlag) == 0 else { throw .unknownFlags(bytes[54]) }
      isDeletion = bytes[54] & Self.deletionFlag != 0
      guard !isDeletion || valueBytes == 0 else { throw .deletionOfBytes(valueBytes) }
      request = bytes.count > Self.byteCount ? RequestToken(number: Self.counter(bytes[55..<63])) : nil
    } else {
      // The time stands for what was not recorded: the same on each disk, and above that of any earlier value.
      (upload, ballot) = Self.versions(committedAtNanoseconds: committedAtNanoseconds)
      isDeletion = false
      request = nil
    }
  }

  /// How many bytes an attribute has that begins like this.
  private static func byteCount(_ version: UInt8, _ bytes: [UInt8]) -> Int {
    guard version == Self.version else { return firstByteCount }
    return bytes.count > 54 && bytes[54] & requestFlag != 0 ? byteCountMax : byteCount
  }

  /// What a value without a ballot of its own counts as: nobody's, at the time at which it came.
  package static func versions(committedAtNanoseconds: Int64) -> (UploadID, Ballot) {
    let nanoseconds = UInt64(max(committedAtNanoseconds, 0))
    return (
      UploadID(member: Member(0), counter: nanoseconds),
      Ballot(counter: max(nanoseconds / 1000, 1), member: Member(0))
    )
  }

  private static func member(_ bytes: ArraySlice<UInt8>) -> Member { Member(BigEndian.shortInteger(bytes)) }

  private static func counter(_ bytes: ArraySlice<UInt8>) -> UInt64 { UInt64(bitPattern: BigEndian.integer(bytes)) }
}

/// Integers, most significant byte first, as they stand in attributes and in the index.
package enum BigEndian {
  /// The eight bytes.
  package static func bytes(_ value: Int64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
  }

  /// The integer of eight bytes.
  package static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 { bytes.reduce(0) { $0 << 8 | Int64($1) } }

  /// The two bytes.
  package static func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

  /// The integer of two bytes.
  package static func shortInteger(_ bytes: ArraySlice<UInt8>) -> UInt16 { bytes.reduce(0) { $0 << 8 | UInt16($1) } }
}

/// Why an attribute cannot be used. The value is then served as unverified.
package enum ValueAttributeError: Error, Equatable {
  case wrongByteCount(Int)
  case unknownVersion(UInt8)
  case unknownAlgorithm(UInt8)
  case negativeLength(Int)
  case unknownFlags(UInt8)
  case deletionOfBytes(Int)
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
  package init?(entityTag: Substring) {
    let text = entityTag.utf8
    let digits = text.starts(with: Self.entityTagPrefix.utf8) ? text.dropFirst(Self.entityTagPrefix.utf8.count) : text
    guard digits.count == 32 else { return nil }
    var (high, low): (UInt64, UInt64) = (0, 0)
    for byte in digits {
      guard let digit = HTTPByte.hexadecimalValue(byte) else { return nil }
      high = high << 4 | low >> 60
      low = low << 4 | UInt64(digit)
    }
    self.init(high: high, low: low)
  }

  private static let entityTagPrefix = "xxh3-"
}
