import KVHTTP
import Testing

@testable import KVCore

struct TokenListTests {
  private static let digest = [UInt8](repeating: 0xAB, count: 32)
  private static let hash = "sha256:" + String(repeating: "ab", count: 32)

  private static func problems(_ text: String) -> [String] {
    do throws(ConfigurationError) {
      _ = try TokenList(parsing: Array(text.utf8), named: "tokens")
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }

  @Test func aLineIsReadAsItIsWritten() throws {
    let token = Token(
      name: "backup", digest: Self.digest, grants: try Grants(parsing: "read,write:backup/ status"),
      until: try Day(parsing: "2027-06-30"))
    #expect(token.line == "backup=\(Self.hash) read,write:backup/ status until=2027-06-30")
    let list = try TokenList(parsing: Array("# why\n\n\(token.line)\n".utf8), named: "tokens")
    #expect(list.token(digest: Self.digest) == token)
    #expect(list.count == 1)
  }

  @Test func onlyTheWholeHashIsRecognised() throws {
    let list = try TokenList(parsing: Array("a=\(Self.hash) read".utf8), named: "tokens")
    for index in [0, 15, 31] {
      var other = Self.digest
      other[index] ^= 1
      #expect(list.token(digest: other) == nil)
    }
    #expect(list.token(digest: Array(Self.digest.dropLast())) == nil)
    #expect(list.token(digest: []) == nil)
  }

  @Test(arguments: [
    ("a=\(hash) reads", "tokens:1: expected none, or permissions"), ("a=\(hash)", "tokens:1: expected none"),
    ("a=read", "tokens:1: expected sha256: and the 64"), ("a=sha256:ab read", "tokens:1: expected sha256:"),
    ("a b=\(hash) read", "tokens:1: expected a name of"), ("[Tokens]", "tokens:1: a section: expected name="),
    ("a=\(hash) read\na=\(hash) read", "tokens:2: expected each name once; line 1 has it already"),
    ("a=\(hash) read until=2027-02-29", "tokens:1: expected a day such as"),
    ("a=\(hash) until=2027-02-28 read", "tokens:1: expected none"),
    ("read", "tokens:1: expected name=sha256:… permissions"),
  ])
  func whatCannotBeUnderstoodIsRefused(text: String, start: String) {
    let problems = Self.problems(text)
    #expect(problems.count == 1)
    #expect(problems.first?.hasPrefix(start) == true, "\(problems)")
  }

  /// Somebody who puts the token itself into the file is not to find it in the log.
  @Test func noMessageRepeatsWhatStandsInPlaceOfAHash() {
    for text in ["a=kvnode_secret read", "kvnode_secret", "kvnode_secret=read", "[kvnode_secret]", "secret", "=secret"]
    {
      #expect(Self.problems(text).count == 1)
      #expect(Self.problems(text).allSatisfy { !$0.contains("secret") })
    }
  }

  @Test func oneHashIsOneToken() {
    #expect(Self.problems("a=\(Self.hash) read\nb=\(Self.hash) all") == ["tokens:2: expected each hash once"])
  }

  @Test(arguments: [
    ("GET kvnode_0123abcdef rest", "GET kvnode_… rest"), ("kvnode_", "kvnode_…"),
    ("kvnode_1 kvnode_2", "kvnode_… kvnode_…"),
    ("kvnod", "kvnod"), ("", ""),
  ])
  func noLogLineHasOne(text: String, masked: String) {
    #expect(Token.masked(text) == masked)
  }

  @Test func thereIsALimit() {
    let lines = (0...TokenList.countMax).map { index in
      "t\(index)=sha256:\(Hexadecimal.digits([UInt8(index >> 8), UInt8(index & 255)] + Self.digest.dropFirst(2))) read"
    }
    #expect(Self.problems(lines.joined(separator: "\n")) == ["tokens: 1025 tokens: expected at most 1024"])
    #expect(Self.problems(lines.dropLast().joined(separator: "\n")).isEmpty)
  }

  @Test(arguments: [
    ("2027-06-30", 1_814_399_999, false), ("2027-06-30", 1_814_400_000, true), ("1970-01-01", 86_399, false),
    ("1970-01-01", 86_400, true),
  ])
  func aDayIsOverWhenTheNextBegins(day: String, second: Int, isOver: Bool) throws {
    #expect(try Day(parsing: day).isOver(at: HTTPDate(secondsSince1970: second)) == isOver)
    #expect(try Day(parsing: day).description == day)
  }

  @Test(arguments: ["", "2027-6-30", "2027-06-31", "30.6.2027", "2027-06-30T00:00:00Z", "0000-01-01"])
  func whatIsNoDayIsRefused(text: String) {
    #expect(throws: SettingError.self) { try Day(parsing: text) }
  }
}

struct CredentialTests {
  private static func credential(_ values: String...) -> Credential {
    var fields = HTTPFields()
    for value in values { fields.append("Authorization", value) }
    return Credential(fields)
  }

  @Test(arguments: [
    ("Bearer abc", Credential.token("abc")), ("bearer  abc", .token("abc")), ("BASIC YTpi", .token("b", name: "a")),
    ("Basic OmI=", .token("b")), ("Basic YTo=", .token("", name: "a")), ("Basic YTpiOmM=", .token("b:c", name: "a")),
  ])
  func isReadFromAuthorization(value: String, credential: Credential) {
    #expect(Self.credential(value) == credential)
  }

  @Test(arguments: [
    "Bearer", "Bearer a b", "Basic", "Basic YQ==", "Basic YTpi=", "Digest a", "AWS4-HMAC-SHA256 Credential=a", "abc",
  ])
  func whatCannotBeUnderstoodIsNotIgnored(value: String) {
    guard case .unusable = Self.credential(value) else {
      Issue.record("\(value) was taken for \(Self.credential(value))")
      return
    }
  }

  @Test func twoOfThemAreNoneAndNoneIsNone() {
    #expect(Self.credential() == .none)
    #expect(Self.credential("Bearer a", "Bearer a") == .unusable(reason: "Authorization came more than once"))
  }
}

struct ClusterSecretTests {
  private static let key = String(repeating: "k", count: 32)

  private static func secret(_ text: String) throws(ConfigurationError) -> ClusterSecret {
    try ClusterSecret(parsing: Array(text.utf8), named: "secret")
  }

  @Test(arguments: [
    (key, 1, false), ("\(key)\n", 1, false), ("# old and new\n\(key)\n\n\(key)2\n", 2, false),
    ("\(key)\nunsigned\n", 1, true), ("unsigned\n\(key)", 1, true),
  ])
  func isReadFromLines(text: String, keyCount: Int, acceptsUnsigned: Bool) throws {
    let secret = try Self.secret(text)
    #expect(secret.keys.count == keyCount)
    #expect(secret.keys.first == Array(Self.key.utf8))
    #expect(secret.acceptsUnsigned == acceptsUnsigned)
  }

  @Test(arguments: [
    "", "\n", "unsigned", "short", "\(key) ", "a \(key)", "\(key)\r\n", "\(key)é",
    String(repeating: "k", count: 1025), Array(repeating: key, count: 5).joined(separator: "\n"),
  ])
  func whatIsNoSecretIsRefusedWithoutBeingRepeated(text: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.secret(text) }
    #expect(error?.description.contains("kkk") == false)
    #expect(error?.description.hasPrefix("secret") == true)
  }
}
