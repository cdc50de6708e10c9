import Testing
import TestSupport

@testable import KVHTTP

struct PrintableTextTests {
  @Test(arguments: ["", "plain text", "~!@#$%^&*()'\"", "é € 😀 日本", "e\u{301}", "a\u{A0}b"])
  func keepsWellFormedText(text: String) {
    #expect(Array(PrintableText.escape(Array(text.utf8)).utf8) == Array(text.utf8))
  }

  @Test(
    arguments: [
      ([0x61, 0x0A, 0x62], "a\\x0ab"), ([0x0D], "\\x0d"), ([0x00], "\\x00"), ([0x0F, 0x10], "\\x0f\\x10"),
      ([0x1B, 0x5B], "\\x1b["), ([0x7F], "\\x7f"), ([0x5C], "\\x5c"), ([0x5C, 0x78], "\\x5cx"),
      ([0xC2, 0x85], "\\xc2\\x85"), ([0xC2, 0xAD], "\\xc2\\xad"), ([0xE2, 0x80, 0xAE], "\\xe2\\x80\\xae"),
      ([0xE2, 0x80, 0xA8], "\\xe2\\x80\\xa8"), ([0xE2, 0x80, 0xA9], "\\xe2\\x80\\xa9"),
      ([0xEF, 0xBB, 0xBF], "\\xef\\xbb\\xbf"), ([0xEE, 0x80, 0x80], "\\xee\\x80\\x80"),
      ([0xF3, 0xB0, 0x80, 0x80], "\\xf3\\xb0\\x80\\x80"), ([0xCD, 0xB8], "\\xcd\\xb8"),
    ] as [([UInt8], String)])
  func escapesWhatIsNotForTheEye(bytes: [UInt8], text: String) {
    #expect(PrintableText.escape(bytes) == text)
  }

  @Test(
    arguments: [
      ([0xFF], "\\xff"), ([0x80], "\\x80"), ([0xC3], "\\xc3"), ([0xC3, 0x28], "\\xc3("),
      ([0xE2, 0x82], "\\xe2\\x82"), ([0xE2, 0x82, 0x41], "\\xe2\\x82A"), ([0xC0, 0x80], "\\xc0\\x80"),
      ([0xED, 0xA0, 0x80], "\\xed\\xa0\\x80"), ([0xF4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"),
      ([0xE2, 0x82, 0xC3, 0xA9], "\\xe2\\x82é"), ([0xF0, 0x9F, 0x98, 0x80, 0x98], "😀\\x98"),
    ] as [([UInt8], String)])
  func escapesMalformedBytesOneByOne(bytes: [UInt8], text: String) {
    #expect(PrintableText.escape(bytes) == text)
  }

  @Test func noTwoTextsLookTheSame() {
    var generator = SeededGenerator(seed: 1)
    let telling: [UInt8] = [0x5C, 0x78, 0x30, 0x61, 0x0A, 0xC3, 0xA9, 0xE2, 0x80, 0xAE, 0xF0, 0x9F, 0x98]
    for _ in 0..<2000 {
      let bytes = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
        telling.randomElement(using: &generator) ?? 0
      }
      #expect(unescaped(PrintableText.escape(bytes)) == bytes)
    }
  }

  private func unescaped(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let first = rest.popFirst() {
      guard first == UInt8(ascii: "\\") else {
        bytes.append(first)
        continue
      }
      bytes.append(UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16) ?? 0)
      rest = rest.dropFirst(3)
    }
    return bytes
  }
}
