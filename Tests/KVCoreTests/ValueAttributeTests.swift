import Testing

@testable import KVCore

@Suite struct ValueAttributeTests {
  /// An attribute byte by byte, as docs/value-format.md lays it out.
  private static let fixture: [UInt8] =
    [
      // Version 2.
      0x02
    ] + common + [
      // Upload 1,700,000,000,000,000 of member 3.
      0x00, 0x03,
      0x00, 0x06, 0x0A, 0x24, 0x18, 0x1E, 0x40, 0x00,
      // Accepted at ballot 1,700,000,000,123,456 of member 258.
      0x00, 0x06, 0x0A, 0x24, 0x18, 0x20, 0x22, 0x40,
      0x01, 0x02,
      // A value.
      0x00,
    ]
  /// One of the version before: its ballot and upload come from the time.
  private static let firstFixture: [UInt8] = [0x01] + common
  private static let common: [UInt8] = [
    // Algorithm 1: XXH3-128.
    0x01,
    // 134,217,728 bytes.
    0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
    // 2023-11-14T22:13:20.123456789Z.
    0x17, 0x97, 0x9C, 0xFE, 0x3D, 0x85, 0xCD, 0x15,
    // The checksum, most significant byte first.
    0x99, 0xAA, 0x06, 0xD3, 0x01, 0x47, 0x98, 0xD8, 0x60, 0x01, 0xC3, 0x24, 0x46, 0x8D, 0x49, 0x7F,
  ]
  private static let attribute = ValueAttribute(
    valueBytes: 134_217_728, committedAtNanoseconds: 1_700_000_000_123_456_789,
    checksum: ValueChecksum(high: 0x99AA_06D3_0147_98D8, low: 0x6001_C324_468D_497F),
    upload: UploadID(member: Member(3), counter: 1_700_000_000_000_000),
    ballot: Ballot(counter: 1_700_000_000_123_456, member: Member(258)))

  @Test func isNamedAndSizedAsDocumented() {
    #expect(ValueAttribute.name == "user.kvnode")
    #expect(ValueAttribute.byteCount == 55)
    #expect(Self.fixture.count == 55)
    #expect(ValueAttribute.firstByteCount == 34)
    #expect(Self.firstFixture.count == 34)
  }

  @Test func decodesTheFixture() throws {
    #expect(try ValueAttribute(decoding: Self.fixture) == Self.attribute)
  }

  @Test func readsWhatTheVersionBeforeWrote() throws {
    var expected = Self.attribute
    expected.upload = UploadID(member: Member(0), counter: 1_700_000_000_123_456_789)
    expected.ballot = Ballot(counter: 1_700_000_000_123_456, member: Member(0))
    #expect(try ValueAttribute(decoding: Self.firstFixture) == expected)
  }

  /// Whatever time was recorded, such a value is above none, and none that was written since is below it by mistake.
  @Test(
    arguments: [(Int64.min, 1), (0, 1), (999, 1), (2000, 2), (Int64.max, 9_223_372_036_854_775)] as [(Int64, UInt64)])
  func whatHasNoBallotOfItsOwnCountsByItsTime(time: Int64, counter: UInt64) {
    let (upload, ballot) = ValueAttribute.versions(committedAtNanoseconds: time)
    #expect(ballot == Ballot(counter: counter, member: Member(0)))
    #expect(ballot > .none)
    #expect(upload == UploadID(member: Member(0), counter: UInt64(max(time, 0))))
  }

  @Test func tellsADeletion() throws {
    var bytes = Self.fixture
    bytes.replaceSubrange(2..<10, with: [UInt8](repeating: 0, count: 8))
    bytes[54] = 1
    let attribute = try ValueAttribute(decoding: bytes)
    #expect(attribute.isDeletion)
    #expect(attribute.encoded == bytes)
  }

  @Test func refusesADeletionWithBytes() {
    var bytes = Self.fixture
    bytes[54] = 1
    #expect(throws: ValueAttributeError.deletionOfBytes(134_217_728)) { try ValueAttribute(decoding: bytes) }
  }

  @Test func tellsByWhichTokenAValueCame() throws {
    var bytes = Self.fixture
    bytes[54] = 2
    bytes += [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF]
    var expected = Self.attribute
    expected.request = RequestToken(number: 0x0123_4567_89AB_CDEF)
    #expect(ValueAttribute.byteCountMax == bytes.count)
    #expect(try ValueAttribute(decoding: bytes) == expected)
    #expect(expected.encoded == bytes)
    for byteCount in 55..<bytes.count {
      #expect(throws: ValueAttributeError.wrongByteCount(byteCount)) {
        try ValueAttribute(decoding: Array(bytes.prefix(byteCount)))
      }
    }
  }

  @Test(arguments: [4, 5, 0x80] as [UInt8])
  func refusesUnknownFlags(flags: UInt8) {
    var bytes = Self.fixture
    bytes[54] = flags
    #expect(throws: ValueAttributeError.unknownFlags(flags)) { try ValueAttribute(decoding: bytes) }
  }

  @Test func encodesTheFixture() {
    #expect(Self.attribute.encoded == Self.fixture)
  }

  @Test(
    arguments: [
      (0, 0), (1, -1), (Int.max, Int64.max), (1 << 40, Int64.min),
    ] as [(Int, Int64)])
  func extremesComeBack(valueBytes: Int, time: Int64) throws {
    let checksum = ValueChecksum(high: .max, low: 1)
    let attribute = ValueAttribute(
      valueBytes: valueBytes, committedAtNanoseconds: time, checksum: checksum,
      upload: UploadID(member: Member(.max), counter: .max), ballot: Ballot(counter: .max, member: Member(.max)))
    #expect(attribute.encoded.count == 55)
    #expect(try ValueAttribute(decoding: attribute.encoded) == attribute)
  }

  @Test(arguments: Array(0..<55) + [56, 110])
  func refusesAnotherSize(byteCount: Int) {
    let bytes = Array((Self.fixture + Self.fixture).prefix(byteCount))
    #expect(throws: ValueAttributeError.wrongByteCount(byteCount)) { try ValueAttribute(decoding: bytes) }
  }

  @Test(arguments: Array(0..<34) + [35, 55])
  func refusesAnotherSizeOfTheVersionBefore(byteCount: Int) {
    let bytes = Array((Self.firstFixture + Self.fixture).prefix(byteCount))
    #expect(throws: ValueAttributeError.wrongByteCount(byteCount)) { try ValueAttribute(decoding: bytes) }
  }

  @Test(arguments: [0, 3, 255] as [UInt8])
  func refusesAnotherVersionWhateverItsSize(version: UInt8) {
    for byteCount in [1, 34, 55] {
      let bytes = Array(([version] + Self.fixture.dropFirst() + Self.fixture).prefix(byteCount))
      #expect(throws: ValueAttributeError.unknownVersion(version)) { try ValueAttribute(decoding: bytes) }
    }
  }

  @Test(arguments: [0, 2, 255] as [UInt8])
  func refusesAnotherAlgorithm(algorithm: UInt8) {
    var bytes = Self.fixture
    bytes[1] = algorithm
    #expect(throws: ValueAttributeError.unknownAlgorithm(algorithm)) { try ValueAttribute(decoding: bytes) }
  }

  @Test func refusesALengthBelowZero() {
    var bytes = Self.fixture
    bytes.replaceSubrange(2..<10, with: [UInt8](repeating: 0xFF, count: 8))
    #expect(throws: ValueAttributeError.negativeLength(-1)) { try ValueAttribute(decoding: bytes) }
  }
}
