import KVServer
import Testing

@testable import KVCore

struct SettingsFileTests {
  private static func items(_ text: String) -> [SettingsFile.Item] {
    SettingsFile(name: "f", contents: Array(text.utf8)).items
  }

  private static func assignment(_ key: String, _ value: String, line: Int) -> SettingsFile.Item {
    .assignment(.init(file: "f", line: line, key: key, value: value))
  }

  private static func malformed(_ message: String, line: Int?) -> SettingsFile.Item {
    .malformed(ConfigurationProblem(file: "f", line: line, message: message))
  }

  @Test(
    arguments: [
      ("", []),
      ("\n \n\t\n", []),
      ("# a\n ; b\n#c=d\n", []),
      ("[Node]\n", [.section("Node", line: 1)]),
      (" [ A b ] \nk=v", [.section(" A b ", line: 1), assignment("k", "v", line: 2)]),
      ("k=v", [assignment("k", "v", line: 1)]),
      ("\n \tk \t= v w\t \n", [assignment("k", "v w", line: 2)]),
      ("k=", [assignment("k", "", line: 1)]),
      ("k==a=b", [assignment("k", "=a=b", line: 1)]),
      ("k=v # not a comment", [assignment("k", "v # not a comment", line: 1)]),
      ("k=\"v\"", [assignment("k", "\"v\"", line: 1)]),
      ("[Node]\r\nk=v\r\n", [.section("Node", line: 1), assignment("k", "v", line: 2)]),
      ("\u{feff}[Node]\n", [.section("Node", line: 1)]),
      ("k=ü\u{301}", [assignment("k", "ü\u{301}", line: 1)]),
    ] as [(String, [SettingsFile.Item])])
  func readsLines(text: String, items: [SettingsFile.Item]) {
    #expect(Self.items(text) == items)
  }

  @Test(
    arguments: [
      ("k=a\\\nb", [assignment("k", "a b", line: 1)]),
      ("k=a\\\n  b\\\n  c\nl=d", [assignment("k", "a   b   c", line: 1), assignment("l", "d", line: 4)]),
      ("k=a\\\r\nb\r\n", [assignment("k", "a b", line: 1)]),
      ("k=a\\\n# no\n ; no \\\nb\nl=c", [assignment("k", "a b", line: 1), assignment("l", "c", line: 5)]),
      ("k=a\\\n\nl=b", [assignment("k", "a", line: 1), assignment("l", "b", line: 3)]),
      ("k=a\\", [assignment("k", "a", line: 1)]),
      ("k=a\\\n", [assignment("k", "a", line: 1)]),
      ("k=a\\\\\nl=b", [assignment("k", "a\\\\", line: 1), assignment("l", "b", line: 2)]),
      ("k=a\\ \nl=b", [assignment("k", "a\\", line: 1), assignment("l", "b", line: 2)]),
      ("# c\\\nk=a", [assignment("k", "a", line: 2)]),
      ("k\\\n=\\\na", [assignment("k", "a", line: 1)]),
      ("\\\n\\\nk=a", [assignment("k", "a", line: 1)]),
    ] as [(String, [SettingsFile.Item])])
  func joinsContinuedLines(text: String, items: [SettingsFile.Item]) {
    #expect(Self.items(text) == items)
  }

  @Test(
    arguments: [
      ("k", [malformed("k: expected Key=value, [Section] or a comment", line: 1)]),
      (" =v", [malformed("=v: expected Key=value, [Section] or a comment", line: 1)]),
      ("[]", [malformed("[]: expected a section such as [Node]", line: 1)]),
      ("[Node", [malformed("[Node: expected a section such as [Node]", line: 1)]),
      ("[Node] x=1", [malformed("[Node] x=1: expected a section such as [Node]", line: 1)]),
      ("\nk=a\u{0}b", [malformed("a control character (hexadecimal 0): expected text", line: 2)]),
      (
        "#\u{1b}[2J\nk=v",
        [
          malformed("a control character (hexadecimal 1B): expected text", line: 1), assignment("k", "v", line: 2),
        ]
      ),
      ("k=a\rb", [malformed("a control character (hexadecimal D): expected text", line: 1)]),
      ("k=\u{85}", [malformed("a control character (hexadecimal 85): expected text", line: 1)]),
    ] as [(String, [SettingsFile.Item])])
  func reportsMalformedLines(text: String, items: [SettingsFile.Item]) {
    #expect(Self.items(text) == items)
  }

  @Test(arguments: [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80]] as [[UInt8]])
  func refusesWhatIsNotUTF8AndReadsOn(bytes: [UInt8]) {
    let file = SettingsFile(name: "f", contents: Array("a=1\nb=".utf8) + bytes + Array("\nc=3\n".utf8))
    #expect(
      file.items == [
        Self.assignment("a", "1", line: 1),
        Self.malformed("bytes that are not text: expected UTF-8", line: 2),
        Self.assignment("c", "3", line: 3),
      ])
  }

  @Test func takesFilesUpToOneMebibyte() {
    let longest = Array("k=".utf8) + Array(repeating: UInt8(ascii: "v"), count: (1 << 20) - 2)
    #expect(
      SettingsFile(name: "f", contents: longest).items == [
        Self.assignment("k", String(repeating: "v", count: (1 << 20) - 2), line: 1)
      ])
    #expect(
      SettingsFile(name: "f", contents: longest + [UInt8(ascii: "v")]).items == [
        Self.malformed("1048577 bytes long: expected at most 1048576 bytes", line: nil)
      ])
  }
}
