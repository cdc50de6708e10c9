import Testing

@testable import KVCore

@Suite struct FlatJSONObjectTests {
  @Test func readsANodesStatus() throws {
    let text = #"""
      {"node":"node1","version":"0.1.0","fingerprint":"efce58d1b5cf035b","peers":4,"values":123,"bytes":456,
       "free":789,"total":1000,"uptime":12,"connections":3,"health":"ok"}

      """#
    let object = try FlatJSONObject(parsing: Array(text.utf8))
    #expect(object.string("node") == "node1")
    #expect(object.integer("total") == 1000)
    #expect(object["health"] == .string("ok"))
    #expect(object["absent"] == nil)
    #expect(object.integer("node") == nil)
    #expect(object.string("peers") == nil)
  }

  @Test(arguments: [
    (#""""#, ""), (#""a\"b\\c\/d""#, #"a"b\c/d"#), (#""\b\f\n\r\t""#, "\u{08}\u{0C}\n\r\t"), (#""\u00e9Ä""#, "éÄ"),
    (#""\ud83d\uDE00!""#, "😀!"), (#""\u0000""#, "\0"),
  ])
  func readsStrings(text: String, expected: String) throws {
    let object = try FlatJSONObject(parsing: Array("{\"a\":\(text)}".utf8))
    #expect(object.string("a").map { Array($0.utf8) } == Array(expected.utf8))
  }

  @Test(arguments: [
    ("0", 0), ("-0", 0), ("-17", -17), ("9223372036854775807", Int.max), ("-9223372036854775808", Int.min),
  ])
  func readsWholeNumbers(text: String, expected: Int) throws {
    #expect(try FlatJSONObject(parsing: Array("{\"a\":\(text)}".utf8)).integer("a") == expected)
  }

  @Test(arguments: ["{}", " { } ", "\t{\r\n}\n"])
  func readsAnEmptyObject(text: String) throws {
    #expect(try FlatJSONObject(parsing: Array(text.utf8)) == FlatJSONObject(parsing: Array("{}".utf8)))
  }

  @Test(arguments: [
    ("", 0), ("[]", 0), ("{", 1), ("{\"a\"}", 4), ("{\"a\":}", 5), ("{\"a\":1,}", 7), ("{\"a\":1 \"b\":2}", 7),
    ("{\"a\":1}x", 7), ("{\"a\":01}", 5), ("{\"a\":-}", 5), ("{\"a\":+1}", 5), ("{\"a\":1.5}", 6), ("{\"a\":1e3}", 6),
    ("{\"a\":9223372036854775808}", 5), ("{\"a\":true}", 5), ("{\"a\":null}", 5), ("{\"a\":{}}", 5), ("{\"a\":[]}", 5),
    ("{\"a\":1,\"a\":2}", 7), ("{\"a\":\"x}", 8), ("{\"a\":\"\n\"}", 6), ("{\"a\":\"\\x\"}", 7), ("{\"a\":\"\\", 7),
    ("{\"a\":\"\\u12g4\"}", 10), ("{\"a\":\"\\ud83d\"}", 8), ("{\"a\":\"\\ude00\"}", 8),
    ("{\"a\":\"\\ud83d\\u0041\"}", 8), ("{a:1}", 1),
  ])
  func refusesAnythingElse(text: String, offset: Int) {
    let error = #expect(throws: FlatJSONError.self) { try FlatJSONObject(parsing: Array(text.utf8)) }
    #expect(error?.offset == offset)
  }

  @Test func refusesBytesThatAreNotUTF8() {
    let text = Array("{\"a\":\"".utf8) + [0xC3, 0x28] + Array("\"}".utf8)
    #expect(throws: FlatJSONError(offset: 6, expected: "a string in UTF-8")) { try FlatJSONObject(parsing: text) }
  }

  @Test func refusesMoreMembersThanTheLimit() throws {
    func text(_ count: Int) -> [UInt8] {
      Array("{\((0..<count).map { "\"\($0)\":0" }.joined(separator: ","))}".utf8)
    }
    _ = try FlatJSONObject(parsing: text(FlatJSONObject.membersMax))
    #expect(throws: FlatJSONError.self) { try FlatJSONObject(parsing: text(FlatJSONObject.membersMax + 1)) }
  }
}
