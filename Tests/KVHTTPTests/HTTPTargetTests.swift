import Testing

@testable import KVHTTP

private func parse(_ text: String) throws(HTTPSyntaxError) -> HTTPTarget {
  let bytes = Array(text.utf8)
  return try HTTPTarget.parse(bytes.span)
}

@Suite struct HTTPTargetTests {
  @Test(
    arguments: [
      ("/", "/", nil), ("/a/b", "/a/b", nil), ("/a?", "/a", ""), ("/a?b?c=/d", "/a", "b?c=/d"), ("*", "*", nil),
      ("//x", "//x", nil), ("http://h/a?b", "/a", "b"), ("HTTPS://h:80/a", "/a", nil), ("http://h", "/", nil),
      ("http://h?q", "/", "q"), ("http://[::1]:7776/a", "/a", nil), ("/http://h/a", "/http://h/a", nil),
      ("/é", "/é", nil),
    ] as [(String, String, String?)])
  func splits(text: String, path: String, query: String?) throws {
    let target = try parse(text)
    #expect(target.path == Array(path.utf8))
    #expect(target.query == query.map { Array($0.utf8) })
  }

  @Test(arguments: [
    "", "a", "a/b", "?a", "*a", "h:443", "http:/a", "http://", "http:///a", "http://?a", "ftp://h/a", "http://u@h/a",
    "/a b", "/a\t", "/\u{1}", "/\u{7F}", "/#", "http",
  ])
  func refuses(text: String) {
    let error = #expect(throws: HTTPSyntaxError.self) { try parse(text) }
    #expect(error?.status == 400)
  }

  @Test(arguments: [
    ("/", ""), ("/a", "a"), ("/a%2Fb/c", "a/b/c"), ("//a", "/a"), ("/%00?x", "\0"), ("http://h/a%20b", "a b"),
  ])
  func givesKeys(text: String, key: String) throws {
    #expect(try parse(text).keyBytes() == Array(key.utf8))
  }

  @Test(arguments: ["*", "/%zz", "/a%"])
  func givesNoKey(text: String) throws {
    let target = try parse(text)
    #expect(throws: HTTPSyntaxError.self) { try target.keyBytes() }
  }

  @Test(arguments: ["", "/", "a?b#c%d", "../..", "é\0\n"])
  func keysComeBack(key: String) throws {
    let target = HTTPTarget(key: Array(key.utf8))
    #expect(try target.keyBytes() == Array(key.utf8))
    #expect(try HTTPTarget.parse(target.path.span) == target)
  }
}
