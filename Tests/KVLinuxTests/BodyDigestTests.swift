import KVCore
import KVHTTP
import Testing

@testable import KVLinux

@Suite struct BodyDigestTests {
  /// RFC 4231 sections 4.2, 4.3 and 4.7.
  @Test(
    arguments: [
      (
        [UInt8](repeating: 0x0B, count: 20), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      ),
      (
        Array("Jefe".utf8), "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
    ])
  func hmac(key: [UInt8], text: String, code: String) {
    #expect(Hexadecimal.digits(HMACSHA256.code(Array(text.utf8), key: key)) == code)
  }

  /// RFC 3720 appendix B.4.
  @Test(
    arguments: [
      ([UInt8](repeating: 0, count: 32), [0x8A, 0x91, 0x36, 0xAA]),
      ([UInt8](repeating: 0xFF, count: 32), [0x62, 0xA8, 0xAB, 0x43]),
      (Array(0..<32), [0x46, 0xDD, 0x79, 0x4E]), (Array((0..<32).reversed()), [0x11, 0x3F, 0xDB, 0x5C]),
      (Array("123456789".utf8), [0xE3, 0x06, 0x92, 0x83]), ([], [0, 0, 0, 0]),
    ] as [([UInt8], [UInt8])])
  func crc32c(bytes: [UInt8], sum: [UInt8]) {
    for split in 0...bytes.count {
      var crc = CRC32C()
      Array(bytes[..<split]).withBytes { crc.update($0) }
      Array(bytes[split...]).withBytes { crc.update($0) }
      #expect(crc.bytes == sum)
    }
  }

  /// RFC 9530 appendix D and RFC 1321 appendix A.5.
  @Test(arguments: [
    ("Repr-Digest", "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:", "{\"hello\": \"world\"}"),
    (
      "Repr-Digest",
      "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:",
      "{\"hello\": \"world\"}"
    ),
    ("Content-MD5", "kAFQmDzST7DWlj99KOF/cg==", "abc"), ("Content-Digest", "crc32c=:4waSgw==:", "123456789"),
  ])
  func aDigestThatIsRightPassesAndAnotherDoesNot(name: String, value: String, text: String) throws {
    var fields = HTTPFields()
    fields.append(name, value)
    let request = ValueRequest(.put, try Key("a".utf8))
    for (body, isRight) in [(text, true), (text + " ", false), ("", false)] {
      var digests = BodyDigests(try StatedDigest.parse(fields))
      for byte in body.utf8 { [byte].withBytes { digests.update($0) } }
      var failure: Failure?
      do throws(Failure) { try digests.check(request) } catch { failure = error }
      #expect((failure == nil) == isRight)
      if let failure { #expect(failure.message.hasPrefix("PUT a: \(name): the ")) }
    }
  }
}
