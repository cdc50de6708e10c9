import Testing
import TestSupport

@testable import KVLinux

struct ChecksumTests {
  /// From `xxhsum -H2` over `Loopback.bytes` of these counts: each way of libxxhash for short inputs, and both
  /// sides of their limits.
  private static let vectors = [
    (0, "99aa06d3014798d86001c324468d497f"), (1, "a6cd5e9392000f6ac44bdff4074eecdb"),
    (3, "656e81c56e41fe02c3489259e968ad9e"), (4, "ab5c3e7474d809db81a65295de8e7dde"),
    (8, "e4b9dd0b66ff3c50ebabbd0695002ff6"), (9, "82ddc95bc76007671c69c3f04aaed08c"),
    (16, "ddf6c1254d70f76794eaa17b20756f46"), (17, "263f67af63088041735fe434ded90c3c"),
    (128, "381610c474b8adfb2dfb73305de1f91a"), (129, "4e05eed4427255d51f8b5092c9ba3be8"),
    (240, "17ffe035d71c1ec8e6bf81617aad6c4a"), (241, "29bc1e9cffb6d79bc614c8c3575348c1"),
    (1024, "321ef354dacfc1ff0b09e0f8173bd8f4"), (1025, "e3b3fa6407b594952d8c47a5118ed970"),
    (262_144, "5d8d30fedb597ec8f48627a537fab6c5"), (262_145, "38d52f3ec5172e79e11976899628be2b"),
  ]

  @Test(arguments: vectors)
  func isWhatXxhsumPrints(byteCount: Int, text: String) {
    let bytes = Loopback.bytes(byteCount)
    let checksum = Checksum()
    checksum.update(bytes.span.bytes)
    #expect(checksum.value.description == text)
  }

  @Test(arguments: vectors, [1, 63, 64, 1000])
  func doesNotDependOnThePieces(vector: (byteCount: Int, text: String), pieceBytes: Int) {
    let bytes = Loopback.bytes(vector.byteCount)
    let checksum = Checksum()
    for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
      checksum.update(bytes.span.bytes.extracting(start..<min(start + pieceBytes, bytes.count)))
    }
    #expect(checksum.value.description == vector.text)
  }

  @Test func canBeReadAndGoOn() {
    let checksum = Checksum()
    #expect(checksum.value.description == "99aa06d3014798d86001c324468d497f")
    checksum.update(Loopback.bytes(1).span.bytes)
    #expect(checksum.value.description == "a6cd5e9392000f6ac44bdff4074eecdb")
    #expect(checksum.value == checksum.value)
  }
}
