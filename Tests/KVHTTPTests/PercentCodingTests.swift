import Testing

@testable import KVHTTP

private func decoded(_ text: String) throws -> String {
  let bytes = Array(text.utf8)
  return String(decoding: try PercentCoding.decode(bytes.span), as: UTF8.self)
}

@Suite struct PercentCodingTests {
  @Test(arguments: [
    ("", ""), ("a", "a"), ("a%20b", "a b"), ("%2f%2F", "//"), ("a+b", "a+b"), ("%00", "\0"), ("%25%32%30", "%20"),
    ("%c3%A9", "é"), ("é", "é"), ("%2E%2e/", "../"),
  ])
  func decodes(text: String, bytes: String) throws {
    #expect(try decoded(text) == bytes)
  }

  @Test(arguments: ["%", "a%", "%2", "%zz", "%2z", "%z2", "%%41", "%+1", "% 1", "a%4", "%é"])
  func refusesWrongEscapes(text: String) {
    let error = #expect(throws: HTTPSyntaxError.self) { try decoded(text) }
    #expect(error?.status == 400)
  }

  @Test(arguments: [
    ("a/b.c-d_e~f", "a/b.c-d_e~f"), ("a b", "a%20b"), ("é", "%C3%A9"), ("?#%", "%3F%23%25"), ("\0\n", "%00%0A"),
    (".", "%2E"), ("..", "%2E%2E"), ("...", "..."), ("a/../b", "a/%2E%2E/b"), ("./a/.", "%2E/a/%2E"), (".a", ".a"),
    ("//", "//"), ("/", "/"), ("", ""), ("+", "%2B"),
  ])
  func encodes(key: String, path: String) {
    #expect(PercentCoding.encode(Array(key.utf8)) == Array(path.utf8))
  }

  @Test(arguments: UInt8.min...UInt8.max)
  func everyByteComesBack(byte: UInt8) throws {
    for key in [[byte], [byte, byte], [0x61, byte, 0x2F], [0x2E, byte], [0x2F, byte, 0x2E], [0x25, byte]] {
      let path = PercentCoding.encode(key)
      #expect(try PercentCoding.decode(path.span) == key)
      #expect(path.allSatisfy(HTTPByte.isTarget))
      #expect(!path.contains(HTTPByte.questionMark))
    }
  }

  @Test func allBytesAtOnceComeBack() throws {
    let key = Array(UInt8.min...UInt8.max)
    #expect(try PercentCoding.decode(PercentCoding.encode(key).span) == key)
  }
}
