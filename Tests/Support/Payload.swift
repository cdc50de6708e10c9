import Glibc

/// Random bytes to send and to recognise: a window of one large pool, which begins anew at its end.
///
/// Values are compared piece by piece as they come, so that a test holds no more of them than it must.
package struct Payload: Sendable {
  /// Not a round number, so that no buffer's size divides it.
  private static let pool: [UInt8] = {
    var generator = SeededGenerator(seed: 2026)
    let words = (0..<523_987).map { _ in generator.next() }
    return words.withUnsafeBytes { Array($0) }
  }()

  package let byteCount: Int
  private let start: Int

  /// So many bytes from a random place.
  package init(byteCount: Int, _ generator: inout SeededGenerator) {
    self.byteCount = byteCount
    start = Int.random(in: 0..<Self.pool.count, using: &generator)
  }

  /// The bytes from the offset on.
  package func bytes(at offset: Int, count: Int) -> [UInt8] {
    precondition(offset + count <= byteCount, "a payload has not so many bytes")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      let from = (start + offset + bytes.count) % Self.pool.count
      bytes.append(contentsOf: Self.pool[from..<min(from + count - bytes.count, Self.pool.count)])
    }
    return bytes
  }

  /// All of the bytes.
  package var bytes: [UInt8] { bytes(at: 0, count: byteCount) }

  /// Whether these are the bytes from the offset on, and not more than there are.
  package func matches(_ bytes: ArraySlice<UInt8>, at offset: Int) -> Bool {
    guard offset + bytes.count <= byteCount else { return false }
    let expected = self.bytes(at: offset, count: bytes.count)
    return expected.withUnsafeBytes { expected in
      bytes.withUnsafeBytes { bytes in
        guard let left = expected.baseAddress, let right = bytes.baseAddress else { return true }
        return memcmp(left, right, bytes.count) == 0
      }
    }
  }

  /// Whether these are all of the bytes.
  package func equals(_ bytes: [UInt8]) -> Bool { bytes.count == byteCount && matches(bytes[...], at: 0) }
}
