import KVHTTP
import TestSupport
import Testing

@testable import KVCore

@Suite struct ListPageTests {
  private static let value = ListedValue(
    key: Array("a b/\"c".utf8), byteCount: 5, checksum: ValueChecksum(high: 1, low: 2),
    modifiedAt: HTTPDate(secondsSince1970: 784_111_777), contentType: "text/\"plain")
  private static let bare = ListedValue(
    key: [0xFF], byteCount: 0, checksum: nil, modifiedAt: HTTPDate(secondsSince1970: 0))
  private static let page = ListPage(
    entries: [.value(value), .group(Array("d/".utf8)), .value(bare)], next: Array("e\n".utf8))

  @Test func json() {
    let expected = """
      {"values":[{"key":"a%20b/%22c","size":5,"time":"1994-11-06T08:49:37Z",\
      "etag":"xxh3-00000000000000010000000000000002","type":"text/\\"plain"},\
      {"key":"%FF","size":0,"time":"1970-01-01T00:00:00Z","type":"application/octet-stream"}],\
      "prefixes":["d/"],"next":"at-650a"}

      """
    #expect(String(decoding: Self.page.written(as: .json), as: UTF8.self) == expected)
    let empty = ListPage(entries: [], next: nil).written(as: .json)
    #expect(String(decoding: empty, as: UTF8.self) == "{\"values\":[],\"prefixes\":[]}\n")
  }

  @Test func linesAreReadAsTheyAreWritten() throws {
    let expected = """
      value\ta%20b/%22c\t5\t1994-11-06T08:49:37Z\txxh3-00000000000000010000000000000002\ttext/%22plain
      prefix\td/
      value\t%FF\t0\t1970-01-01T00:00:00Z\t-\tapplication/octet-stream
      next\tat-650a

      """
    let lines = Self.page.written(as: .lines)
    #expect(String(decoding: lines, as: UTF8.self) == expected)
    #expect(try ListPage(parsing: lines) == Self.page)
    for count in 0..<lines.count {
      #expect(throws: HTTPSyntaxError.self) { try ListPage(parsing: Array(lines[..<count])) }
    }
  }

  @Test func aPartOfAListingTellsOfWhichDiskItIs() throws {
    var part = Self.page
    part.member = Member(65535)
    let lines = part.written(as: .lines)
    #expect(lines.starts(with: Array("member\t65535\nvalue\t".utf8)))
    #expect(try ListPage(parsing: lines) == part)
    #expect(part.written(as: .json) == Self.page.written(as: .json))
  }

  @Test(arguments: [
    "member\t-1\nend\n", "member\t65536\nend\n", "", "\n", "end", "end\nend\n", "next\t61\n", "next\tat-6\n",
    "prefix\nend\n", "value\ta\t5\nend\n",
    "value\ta\t-5\t1994-11-06T08:49:37Z\t-\tx\nend\n", "value\t\t5\t1994-11-06T08:49:37Z\t-\tx\nend\n",
    "value\ta\t5\t1994-11-06T08:49:60Z\t-\tx\nend\n", "value\ta\t5\t1994-11-06T08:49:37Z\tx\tx\nend\n",
    "value\ta\t5\t1994-11-31T08:49:37Z\t-\tx\nend\n", "<html>",
  ])
  func refusesWhatIsNoPage(text: String) {
    #expect(throws: HTTPSyntaxError.self) { try ListPage(parsing: Array(text.utf8)) }
  }

  /// Whatever encodes it once more, or takes a plus for a blank, leaves it as it is.
  @Test func tokensHoldNothingThatIsEncoded() {
    var generator = SeededGenerator(seed: 9)
    for _ in 0..<200 {
      let key = (0..<Int.random(in: 1...1024, using: &generator)).map { _ in
        UInt8.random(in: .min ... .max, using: &generator)
      }
      let token = ListToken.encode(key)
      #expect(PercentCoding.encode(Array(token.utf8)) == Array(token.utf8))
      #expect(!token.contains("+") && ListToken.decode(Array(token.utf8)) == key)
    }
    for text in ["", "a", "at-", "at-6", "at-zz", "AT-61"] {
      #expect(ListToken.decode(Array(text.utf8)) == (text == "at-" ? [] : nil))
    }
  }

  @Test(arguments: [("", "a/b/c", "a/"), ("a/", "a/b/c", "a/b/"), ("a/b/", "a/b/c", nil), ("a", "a/b", "a/")])
  func keysAreGrouped(prefix: String, key: String, group: String?) {
    var request = ListRequest(prefix: Array(prefix.utf8))
    #expect(request.group(of: Array(key.utf8)) == nil)
    request.delimiter = Array("/".utf8)
    #expect(request.group(of: Array(key.utf8)) == group.map { Array($0.utf8) })
  }

  @Test func aGatheringHasTheFirstOfAllAndEachOnce() {
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<50 {
      let limit = Int.random(in: 1...20, using: &generator)
      let names = (0..<3000).map { _ in Array("\(Int.random(in: 0..<5000, using: &generator))/".utf8) }
      let end = Bool.random(using: &generator) ? names.randomElement(using: &generator) : nil
      var gathering = ListGathering(limit: limit)
      for name in names { gathering.insert(.group(name)) }
      if let end { gathering.end(before: end) }
      let sorted = Set(names).sorted { $0.lexicographicallyPrecedes($1) }
      let before = sorted.filter { name in end.map { name.lexicographicallyPrecedes($0) } ?? true }
      let page = gathering.page()
      #expect(page.entries == before.prefix(limit).map { .group($0) })
      #expect(page.next == (before.count > limit ? before[limit] : end))
    }
  }

  @Test(arguments: [
    ("a/", "a/5", "a0"), ("a/", "a/", "a/"), ("a/", "b", "b"), ("a/", "a0", "a0"), ("a\u{7f}", "a\u{7f}b", "a\u{80}"),
  ])
  func aPageThatHasAGroupEndsBehindIt(group: String, end: String, next: String) {
    var gathering = ListGathering(limit: 10)
    gathering.insert(.group(Array(group.unicodeScalars.map { UInt8($0.value) })))
    gathering.end(before: Array(end.unicodeScalars.map { UInt8($0.value) }))
    #expect(gathering.page().next == Array(next.unicodeScalars.map { UInt8($0.value) }))
  }

  @Test func behindAGroupOfTheLastBytesThereIsNothing() {
    var gathering = ListGathering(limit: 10)
    gathering.insert(.group([0xFF, 0xFF]))
    gathering.end(before: [0xFF, 0xFF, 1])
    #expect(gathering.page() == ListPage(entries: [.group([0xFF, 0xFF])], next: nil))
  }

  /// Nodes that end their pages anywhere: page by page, every entry is given once, in order.
  @Test func pagesOfManyNodesGiveEachGroupOnce() {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<50 {
      let names = (0..<200).map { _ in
        Array("\(Int.random(in: 0..<9, using: &generator))/\(Int.random(in: 0..<99, using: &generator))".utf8)
      }
      let sorted = names.sorted { $0.lexicographicallyPrecedes($1) }
      let nodes = (0..<3).map { node in sorted.enumerated().filter { $0.offset % 3 == node }.map(\.element) }
      var request = ListRequest(prefix: [])
      request.delimiter = Array("/".utf8)
      var given: [[UInt8]] = []
      var start: [UInt8]? = []
      while let from = start {
        var gathering = ListGathering(limit: 4)
        for keys in nodes {
          let rest = keys.filter { !$0.lexicographicallyPrecedes(from) }
          let passed = rest.prefix(Int.random(in: 1...40, using: &generator))
          for key in passed { gathering.insert(.group(request.group(of: key) ?? key)) }
          if rest.count > passed.count { gathering.end(before: rest[passed.count]) }
        }
        let page = gathering.page()
        given += page.entries.map(\.name)
        start = page.next
      }
      #expect(given == Set(names.map { Array($0[...1]) }).sorted { $0.lexicographicallyPrecedes($1) })
    }
  }
}
