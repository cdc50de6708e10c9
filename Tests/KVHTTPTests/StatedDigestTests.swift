import Testing

@testable import KVHTTP

@Suite struct StatedDigestTests {
  /// RFC 4648 section 10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func base64(bytes: String, text: String) {
    #expect(Base64.encode(Array(bytes.utf8)) == text)
    #expect(Base64.decode(text) == Array(bytes.utf8))
  }

  @Test(arguments: ["Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "Z===", "====", "Zm9*", "Zm9v\n", "Zm-v", " Zg=="])
  func whatIsNoBase64(text: String) { #expect(Base64.decode(text) == nil) }

  private static let zeros = Base64.encode([UInt8](repeating: 0, count: 32))

  @Test func readsAllThatIsStated() throws {
    let digests = try StatedDigest.parse([
      "Repr-Digest": "sha-256=:\(Self.zeros):, unixsum=:AA==:, CRC32C=:AAAAAQ==:;x=1",
      "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA==",
    ])
    #expect(digests.map(\.algorithm) == [.crc32c, .sha256, .md5])
    #expect(digests.map(\.bytes.count) == [4, 32, 16])
    var fields = HTTPFields()
    StatedDigest.append(digests, to: &fields)
    #expect(try StatedDigest.parse(fields) == digests)
  }

  /// Else one head would have us compute hundreds.
  @Test func statesEachAlgorithmOnce() throws {
    let digest = "crc32c=:AAAAAQ==:"
    let repeated = Array(repeating: digest, count: 300).joined(separator: ",")
    #expect(try StatedDigest.parse(["Content-Digest": repeated]).count == 1)
    #expect(throws: HTTPSyntaxError.self) {
      try StatedDigest.parse(["Content-Digest": "\(digest), crc32c=:AAAAAg==:"])
    }
  }

  @Test(arguments: [
    ("Repr-Digest", "sha-256=:AAAA:"), ("Repr-Digest", "sha-256=AAAA"), ("Content-Digest", "sha-256"),
    ("Content-Digest", "unixsum=:AA==:"), ("Content-Digest", ""), ("Content-MD5", "abc"), ("Content-MD5", ""),
    ("Content-MD5", "d41d8cd98f00b204e9800998ecf8427e"), ("Repr-Digest", "md5=:AAAA"),
  ])
  func refusesWhatIsNoDigest(name: String, value: String) {
    var fields = HTTPFields()
    fields.append(name, value)
    #expect(throws: HTTPSyntaxError.self) { try StatedDigest.parse(fields) }
  }
}
