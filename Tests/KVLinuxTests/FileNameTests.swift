import KVLinux
import Testing

@Suite struct FileNameTests {
  @Test(arguments: ["a", "...", "-", " "])
  func takesNames(text: String) { #expect(FileName(text.utf8)?.bytes == Array(text.utf8)) }

  @Test(arguments: ["", ".", "..", "a/b", "/", "a\0", String(repeating: "x", count: 256)])
  func refusesWhatIsNoName(text: String) { #expect(FileName(text.utf8) == nil) }
}
