import KVCore
import KVHTTP
import Testing

@testable import kvctl

@Suite struct ListPageTests {
  private static let digits = "0123456789abcdef0123456789abcdef"

  @Test func readsValues() throws {
    let text = """
      {"values":[{"key":"a%20b/c","size":123,"etag":"xxh3-\(Self.digits)","time":"2026-11-28T20:22:58Z","type":"text/plain"},
       {"key":"d","size":0,"time":"2026-11-28T20:22:59Z","new":{"x":[1,true,{"y":"}"}]}}],
       "prefixes":["dir/"],"next":"a+b/%&\\u00e9","missing":["node2"]}

      """
    let page = try ListPage(parsing: Array(text.utf8))
    #expect(page.values.map(\.key) == [Array("a b/c".utf8), Array("d".utf8)])
    #expect(page.values[0].byteCount == 123)
    #expect(page.values[0].entityTag == EntityTag(argument: Self.digits))
    #expect(page.values[0].time == "2026-11-28T20:22:58Z")
    #expect(page.values[1].entityTag == nil)
    #expect(page.values[1].byteCount == 0)
    #expect(page.prefixes == [Array("dir/".utf8)])
    #expect(page.next == .token(Array("a+b/%&é".utf8)))
    #expect(page.missing == ["node2"])
    #expect(!page.isBare)
  }

  @Test func readsKeysAlone() throws {
    let page = try ListPage(parsing: Array("{\"keys\":[\"a%20b\",\"c\"],\"next\":\"d%2F\"}\n".utf8))
    #expect(page.values == [ListedValue(key: Array("a b".utf8)), ListedValue(key: Array("c".utf8))])
    #expect(page.next == .key(Array("d/".utf8)))
    #expect(page.isBare)
  }

  @Test(arguments: ["{\"values\":[]}", "{\"keys\":[]}\n", "{}", " { \"values\" : [ ] , \"prefixes\" : [ ] } "])
  func readsEmptyPages(text: String) throws {
    let page = try ListPage(parsing: Array(text.utf8))
    #expect(page.values.isEmpty && page.next == nil)
  }

  @Test(arguments: [
    "", "[]", "{\"values\":[{\"size\":1}]}", "{\"values\":[{\"key\":\"a\"}", "{\"values\":[{\"key\":\"%4\"}]}",
    "{\"values\":[]}x", "{\"values\":[{\"key\":\"a\",\"size\":-1}]}", "{\"values\":[{\"key\":\"a\",\"size\":1.5}]}",
    "{\"values\":[{\"key\":\"a\",\"size\":99999999999999999999}]}", "{\"next\":\"\\q\"}", "{\"next\":\"\\ud800x\"}",
    "{\"next\":\"a\nb\"}", "{\"x\":\(String(repeating: "[", count: 100))",
  ])
  func refusesWhatIsNoPage(text: String) {
    #expect(throws: JSONReadingError.self) { try ListPage(parsing: Array(text.utf8)) }
  }

  @Test func asksForAPage() {
    func target(_ query: ListQuery) -> String {
      String(decoding: query.head.encoded().prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
    }
    var query = ListQuery(prefix: Array("a b/".utf8), limit: 7)
    #expect(target(query) == "GET /a%20b/?list&limit=7 HTTP/1.1")
    query.from = Array("a b/c&".utf8)
    query.delimiter = UInt8(ascii: "/")
    query.isPartial = true
    #expect(target(query) == "GET /a%20b/?list&limit=7&from=a%20b/c%26&delimiter=%2F&partial=yes HTTP/1.1")
    query.place = .token(Array("x+/=%".utf8))
    #expect(target(query) == "GET /a%20b/?list&limit=7&start=x%2B/%3D%25&delimiter=%2F&partial=yes HTTP/1.1")
    query.place = .key(Array("a b/d".utf8))
    #expect(target(query) == "GET /a%20b/?list&limit=7&start=a%20b/d&delimiter=%2F&partial=yes HTTP/1.1")
  }
}
