import Testing

@testable import KVCore

struct DirectoryPathTests {
  @Test(arguments: [
    ("/var/lib/kvnode", "/var/lib/kvnode"), ("/srv//kv/", "/srv/kv"), ("//srv", "/srv"), ("/a b/.c", "/a b/.c"),
  ])
  func tidiesAbsolutePaths(text: String, path: String) throws {
    #expect(try DirectoryPath.parse(text) == path)
  }

  @Test(arguments: ["", "/", "//", "var/lib", "./kv", "/var/../kv", "/var/.", "~/kv"])
  func refusesTheRest(text: String) {
    #expect(throws: SettingError(expected: "an absolute path such as /var/lib/kvnode, without . and ..")) {
      try DirectoryPath.parse(text)
    }
  }

  @Test func aCombiningMarkHidesNoSlash() throws {
    #expect(try DirectoryPath.parse("/\u{301}a//b/") == "/\u{301}a/b")
    #expect(throws: SettingError.self) { try DirectoryPath.parse("/srv/../\u{301}a") }
  }

  @Test func refusesAPathThatLeavesTheStoreNoRoom() throws {
    #expect(try DirectoryPath.parse("/" + String(repeating: "a", count: 1023)).utf8.count == 1024)
    #expect(throws: SettingError(expected: "a path of at most 1024 bytes")) {
      try DirectoryPath.parse("/" + String(repeating: "a", count: 1024))
    }
  }
}
