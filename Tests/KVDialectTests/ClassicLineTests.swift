import KVCore
import KVHTTP
import TestSupport
import Testing

@testable import KVDialect

private func line(_ text: String) throws(Failure) -> ClassicLine { try ClassicLine(parsing: Array(text.utf8)[...]) }

private func refusal(_ text: String) -> Failure? {
  do throws(Failure) {
    _ = try line(text)
    return nil
  } catch {
    return error
  }
}

@Suite struct ClassicLineTests {
  @Test(
    arguments: [
      ("PUT hashme", .put, "hashme", nil), ("PUT hashme 5", .put, "hashme", 5), ("GET hashme", .get, "hashme", nil),
      ("DEL hashme", .delete, "hashme", nil), ("  PUT   hashme   5  ", .put, "hashme", 5), ("GET 5", .get, "5", nil),
      ("GET PUT", .get, "PUT", nil), ("GET ../a/%2F", .get, "../a/%2F", nil), ("GET a\tb", .get, "a\tb", nil),
      ("GET größe", .get, "größe", nil), ("GET \0", .get, "\0", nil), ("GET a\r", .get, "a\r", nil),
    ] as [(String, KVCore.Operation, String, Int?)])
  func readsItsWords(text: String, operation: KVCore.Operation, key: String, valueBytes: Int?) throws {
    let read = try line(text)
    #expect(read.operation == operation)
    #expect(read.key.bytes == Array(key.utf8))
    #expect(read.valueBytes == valueBytes)
  }

  @Test(arguments: UInt8.min...UInt8.max)
  func anyByteButASpaceIsPartOfAKey(byte: UInt8) throws {
    guard byte != UInt8(ascii: " ") else { return }
    let read = try ClassicLine(parsing: (Array("GET a".utf8) + [byte])[...])
    #expect(read.key.bytes == [0x61, byte])
  }

  @Test(arguments: [("0", 0), ("007", 7), ("1", 1), ("9223372036854775807", Int.max), ("00000000000000000000001", 1)])
  func readsLengths(word: String, valueBytes: Int) throws {
    #expect(try line("PUT a \(word)").valueBytes == valueBytes)
  }

  @Test(arguments: ["-1", "+1", "1.5", "0x10", "1K", "a", "9223372036854775808", "１", "1_000", "1\r", "1,"])
  func refusesWhatIsNoLength(word: String) {
    let shown = PrintableText.escape(Array(word.utf8))
    #expect(refusal("PUT a/b \(word)") == Failure(.badRequest, "PUT a/b: '\(shown)' is no length in bytes"))
  }

  @Test(arguments: ["", " ", "put a", "Get a", "HEAD a", "PUTa", "PUT\ta", "DELETE a", "\0", "P\u{FF}", "PUT\r"])
  func refusesOtherVerbs(text: String) {
    #expect(refusal(text) == Failure(.badRequest, "Unsupported operation (only PUT/GET/DEL supported)"))
  }

  @Test(arguments: ["PUT", "GET", "DEL"])
  func refusesAMissingKey(verb: String) {
    #expect(refusal(verb) == Failure(.badRequest, "\(verb) needs a key"))
    #expect(refusal("\(verb)  ") == Failure(.badRequest, "\(verb) needs a key"))
  }

  @Test(arguments: ["PUT", "GET", "DEL"])
  func refusesAKeyTooLong(verb: String) throws {
    let longest = String(repeating: "k", count: 1024)
    #expect(try line("\(verb) \(longest)").key.bytes.count == 1024)
    let failure = Failure(.badRequest, "\(verb): the key has 1025 bytes, the most is 1024")
    #expect(refusal("\(verb) \(longest)k") == failure)
  }

  @Test(arguments: [
    ("GET a b", "GET a: unexpected 'b' after the key"), ("DEL a b", "DEL a: unexpected 'b' after the key"),
    ("GET a 5 6", "GET a: unexpected '5' after the key"), ("PUT a 5 b c", "PUT a: unexpected 'b' after the key"),
    ("PUT a x b", "PUT a: unexpected 'b' after the key"),
    ("GET a\u{1B} \u{7}", "GET a\\x1b: unexpected '\\x07' after the key"),
  ])
  func refusesFurtherWords(text: String, message: String) {
    #expect(refusal(text) == Failure(.badRequest, message))
  }

  @Test func theLongestKeyEscapedFitsTheLongestLine() {
    #expect("PUT ".utf8.count + Key.bytesMax + " 9223372036854775807\r\n".utf8.count <= ClassicLine.bytesMax)
  }
}
