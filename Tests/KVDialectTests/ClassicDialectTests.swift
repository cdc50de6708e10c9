import KVCore
import TestSupport
import Testing

@testable import KVDialect

private func request(_ text: String) throws(Failure) -> ValueRequest {
  try ClassicDialect.request(line: Array(text.utf8)[...])
}

@Suite struct ClassicDialectTests {
  private static let checksum = ValueChecksum(high: 1, low: 2)

  @Test(arguments: ["", "\r"])
  func readsRequests(lineEnd: String) throws {
    let key = try Key("hashme".utf8)
    #expect(try request("PUT hashme" + lineEnd) == ValueRequest(operation: .put, key: key, body: .untilEnd))
    let sized = ValueRequest(operation: .put, key: key, body: .exactly(5), valueBytes: 5)
    #expect(try request("PUT hashme 5" + lineEnd) == sized)
    #expect(try request("GET hashme" + lineEnd) == ValueRequest(operation: .get, key: key))
    #expect(try request("DEL hashme" + lineEnd) == ValueRequest(operation: .delete, key: key))
  }

  @Test(arguments: [
    ("GET a\r", "a"), ("GET a\r\r", "a\r"), ("GET a\rb", "a\rb"), ("GET \ra", "\ra"), ("GET a \r", "a"),
  ])
  func onlyTheLastCarriageReturnIsDropped(text: String, key: String) throws {
    #expect(try request(text).key.bytes == Array(key.utf8))
  }

  @Test(arguments: ["\r", "\r\r", "GET\r", "GET \r", "PUT a 1\r\r"])
  func aCarriageReturnIsNoWord(text: String) {
    #expect(throws: Failure.self) { try request(text) }
  }

  @Test(arguments: ["AUTH abc", "AUTH abc\r", "AUTH  abc "])
  func aLineBeforeTheRequestSaysWhoAsks(line: String) throws {
    #expect(try ClassicDialect.credential(line: Array(line.utf8)[...]) == .token("abc"))
  }

  @Test(arguments: ["GET AUTH", "auth abc", "AUTHabc", "", "PUT k"])
  func otherLinesSayNothingOfThat(line: String) throws {
    #expect(try ClassicDialect.credential(line: Array(line.utf8)[...]) == nil)
  }

  @Test(arguments: ["AUTH", "AUTH ", "AUTH a b"])
  func aTokenIsOneWord(line: String) {
    #expect(throws: Failure.self) { try ClassicDialect.credential(line: Array(line.utf8)[...]) }
  }

  @Test(arguments: ["hashme", "../a b/%2F", "größe", "\u{1B}\\"])
  func answersAPutWithTheKeyAsItCame(key: String) throws {
    let response = Response.stored(try Key(key.utf8), checksum: Self.checksum, created: true)
    #expect(ClassicDialect.encode(response) == Array((key + "\n").utf8))
  }

  @Test func bytesThatAreNoTextComeBackToo() throws {
    #expect(ClassicDialect.encode(.stored(try Key([0xFF, 0x00]), checksum: nil, created: true)) == [0xFF, 0x00, 0x0A])
  }

  @Test func addsNothingToValuesAndDeletions() throws {
    let key = try Key("hashme".utf8)
    let responses: [Response] = [
      .value(ValueHead(byteCount: 5, checksum: Self.checksum)), .value(ValueHead(byteCount: 0, checksum: nil)),
      .deleted(key, existed: true), .deleted(key, existed: false),
    ]
    for response in responses { #expect(ClassicDialect.encode(response).isEmpty, "\(response)") }
  }

  @Test(arguments: [.badRequest, .notFound, .unavailable, .diskFull] as [Failure.Kind])
  func answersFailuresWithOneLine(kind: Failure.Kind) {
    let response = Response.failure(Failure(kind, "GET größe: no such key"))
    #expect(ClassicDialect.encode(response) == Array("ERROR: GET größe: no such key\n".utf8))
  }
}
