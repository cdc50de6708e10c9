import Testing

@testable import KVCore

struct KeyTests {
  @Test(arguments: [1, 2, 1023, 1024])
  func takesOneTo1024BytesAsTheyAre(byteCount: Int) throws {
    let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) }
    #expect(try Key(bytes).bytes == bytes)
    #expect(try Key(([7] + bytes + [7])[1...byteCount]).bytes == bytes)
  }

  @Test func refusesNoBytes() {
    #expect(throws: KeyError.empty) { try Key([]) }
    #expect("\(KeyError.empty)" == "the key is empty")
  }

  @Test func refusesMoreThan1024Bytes() {
    #expect(throws: KeyError.tooLong(byteCount: 1025)) { try Key([UInt8](repeating: 0x61, count: 1025)) }
    #expect("\(KeyError.tooLong(byteCount: 1025))" == "the key has 1025 bytes, the most is 1024")
  }

  @Test func tellsApartWhatUnicodeCallsEquivalent() throws {
    let (composed, decomposed) = try (Key("\u{E9}".utf8), Key("e\u{301}".utf8))
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
  }

  @Test(arguments: [
    ("hashme", "hashme"), ("größe 1", "größe 1"), ("a\nERROR: b", "a\\x0aERROR: b"), ("\u{1B}[2J", "\\x1b[2J"),
  ])
  func isDescribedInOneHarmlessLine(key: String, text: String) throws {
    #expect(try "\(Key(key.utf8))" == text)
  }
}
