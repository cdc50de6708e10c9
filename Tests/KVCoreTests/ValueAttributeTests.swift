import Testing

@testable import KVCore

@Suite struct ValueAttributeTests {
  /// An attribute byte by byte, as docs/value-format.md lays it out.
  private static let fixture: [UInt8] = [
    // Version 1.
    0x01,
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
    checksum: ValueChecksum(high: 0x99AA_06D3_0147_98D8, low: 0x6001_C324_468D_497F))

  @Test func isNamedAndSizedAsDocumented() {
    #expect(ValueAttribute.name == "user.kvnode")
    #expect(ValueAttribute.byteCount == 34)
    #expect(Self.fixture.count == 34)
  }

  @Test func decodesTheFixture() throws {
    #expect(try ValueAttribute(decoding: Self.fixture) == Self.attribute)
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
    let attribute = ValueAttribute(valueBytes: valueBytes, committedAtNanoseconds: time, checksum: checksum)
    #expect(attribute.encoded.count == 34)
    #expect(try ValueAttribute(decoding: attribute.encoded) == attribute)
  }

  @Test(arguments: Array(0..<34) + [35, 68])
  func refusesAnotherSize(byteCount: Int) {
    let bytes = Array((Self.fixture + Self.fixture).prefix(byteCount))
    #expect(throws: ValueAttributeError.wrongByteCount(byteCount)) { try ValueAttribute(decoding: bytes) }
  }

  @Test(arguments: [0, 2, 255] as [UInt8])
  func refusesAnotherVersionWhateverItsSize(version: UInt8) {
    for byteCount in [1, 34, 50] {
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
