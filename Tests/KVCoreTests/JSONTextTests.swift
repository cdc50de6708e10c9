import Testing

@testable import KVCore

@Suite struct JSONTextTests {
  @Test(arguments: [
    ("", #""""#), ("node1", #""node1""#), (#"say "hi" \o/"#, #""say \"hi\" \\o/""#),
    ("a\nb\tc\u{1}", #""a\nb\u0009c\u0001""#),
    ("é😀", "\"é😀\""),
  ])
  func escapesWhatMustBe(text: String, expected: String) {
    #expect(JSONText.quoted(text) == expected)
  }

  @Test(arguments: ["", "a\"\\\u{7}\r\n\u{1F}é😀"])
  func isReadBackAsTheSame(text: String) throws {
    #expect(try FlatJSONObject(parsing: Array("{\"a\":\(JSONText.quoted(text))}".utf8)).string("a") == text)
  }
}
