/// Reads chunked bodies as plainly as can be, to check by it what our encoder writes.
package struct ChunkedText {
  /// The data of all chunks, whole or not.
  package private(set) var data: [UInt8] = []
  /// Whether the last chunk is there, with nothing behind it.
  package private(set) var isComplete = false
  /// Whether the bytes are, as far as they go, what RFC 9112 section 7.1 says.
  package private(set) var isWellFormed = true

  package init(_ bytes: [UInt8]) {
    var index = 0
    while let line = Self.line(bytes, from: index), isWellFormed {
      index += line.count + 2
      guard let size = Int(String(decoding: line, as: UTF8.self), radix: 16) else {
        isWellFormed = false
        return
      }
      if size == 0 {
        isComplete = bytes[index...].elementsEqual([13, 10])
        isWellFormed = isComplete || bytes[index...].elementsEqual([13]) || index == bytes.count
        return
      }
      data += bytes[index..<min(index + size, bytes.count)]
      index += size
      if index < bytes.count { isWellFormed = bytes[index] == 13 }
      if index + 1 < bytes.count { isWellFormed = isWellFormed && bytes[index + 1] == 10 }
      index += 2
    }
  }

  private static func line(_ bytes: [UInt8], from start: Int) -> ArraySlice<UInt8>? {
    guard start < bytes.count, let end = bytes[start...].prefix(20).firstIndex(of: 13) else { return nil }
    return end + 1 < bytes.count && bytes[end + 1] == 10 ? bytes[start..<end] : nil
  }
}
