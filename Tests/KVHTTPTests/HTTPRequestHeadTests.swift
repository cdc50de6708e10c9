import Testing
import TestSupport

@testable import KVHTTP

private func parse(_ text: String) throws(HTTPSyntaxError) -> HTTPParsed<HTTPRequestHead> {
  let bytes = Array(text.utf8)
  return try HTTPRequestHead.parse(bytes.span)
}

private func head(_ text: String) throws -> HTTPRequestHead {
  guard case .head(let head, _) = try parse(text) else { throw HTTPSyntaxError.bad("more needed") }
  return head
}

/// The status that a text is refused with, or nil.
private func refusal(_ text: String) -> Int? {
  do throws(HTTPSyntaxError) {
    _ = try parse(text)
    return nil
  } catch {
    return error.status
  }
}

private enum Outcome: Equatable {
  case needMore
  case refused(HTTPSyntaxError)
  case served(HTTPRequestHead, byteCount: Int, key: [UInt8], body: BodyFraming)
}

/// What a server makes of some bytes, up to where it would begin to serve.
private func outcome(_ bytes: Span<UInt8>) -> Outcome {
  do throws(HTTPSyntaxError) {
    guard case .head(let head, let byteCount) = try HTTPRequestHead.parse(bytes) else { return .needMore }
    return .served(head, byteCount: byteCount, key: try head.target.keyBytes(), body: try head.bodyFraming())
  } catch {
    return .refused(error)
  }
}

@Suite struct HTTPRequestHeadTests {
  private static let example =
    "PUT /a%20b?x=1 HTTP/1.1\r\nHost: n:7776\r\nContent-Length:5\r\nX-Y: \t a  b\t \r\nEmpty:\r\n\r\n"

  @Test func readsLineAndFields() throws {
    let head = try head(Self.example)
    #expect(head.method == "PUT")
    #expect(head.target.path == Array("/a%20b".utf8))
    #expect(head.target.query == Array("x=1".utf8))
    #expect(head.version == .http11)
    #expect(head.fields == ["host": "n:7776", "content-length": "5", "x-y": "a  b", "empty": ""])
  }

  @Test func everySplitGivesTheSameHead() throws {
    let bytes = Array((Self.example + "helloGET").utf8)
    let headBytes = Self.example.utf8.count
    let whole = try HTTPRequestHead.parse(bytes.span)
    for count in 0...bytes.count {
      let parsed = try HTTPRequestHead.parse(bytes.span.extracting(0..<count))
      #expect(parsed == (count < headBytes ? .needMore : whole), "first \(count) bytes")
    }
    guard case .head(_, byteCount: headBytes) = whole else {
      Issue.record("the head does not end where it should")
      return
    }
  }

  @Test func spoiltHeadsGiveTheSameHoweverTheyAreCut() {
    var generator = SeededGenerator(seed: 7)
    var refusedCount = 0
    for _ in 0..<500 {
      var bytes = Array(Self.example.utf8)
      generator.spoil(&bytes)
      let outcomes = (0...bytes.count).map { outcome(bytes.span.extracting(0..<$0)) }
      let settled = outcomes.drop { $0 == .needMore }
      #expect(settled.allSatisfy { $0 == settled.first }, "\(bytes)")
      if case .refused = settled.first { refusedCount += 1 }
    }
    #expect((1..<500).contains(refusedCount))
  }

  @Test func aWrongLineEndIsRefusedAsSoonAsItIsSeen() {
    let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nB: c\nD: e\r\n\r\n".utf8)
    let wrongAt = 29
    for count in 0...bytes.count {
      let expected = count <= wrongAt ? nil : 400
      #expect(refusal(String(decoding: bytes[..<count], as: UTF8.self)) == expected, "first \(count) bytes")
    }
  }

  @Test(arguments: [
    "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\rb: c\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nGET / HTTP/1.1\r\n",
    "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\r\nHost: a\r\n\r\n",
    "GET\r\n\r\n", "GET \r\n\r\n", "/ HTTP/1.1\r\nHost: a\r\n\r\n", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GÉT / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / http/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "GET / HTTP/x.1\r\nHost: a\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", "GET /\u{7F} HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "GET ** HTTP/1.1\r\nHost: a\r\n\r\n",
  ])
  func refusesWrongRequestLines(text: String) {
    #expect(refusal(text) == 400)
  }

  @Test(arguments: [
    "B : c", "B\t: c", ": c", "B", "B c", "b\u{0}: c", "B(: c", "É: c", "B: c\r\n d", "B: c\r\n\td", " B: c",
    "B: a\u{0}c", "B: a\u{8}c", "B: a\u{7F}c", "B: a\u{B}c", "B: \u{1B}[0m",
  ])
  func refusesWrongFields(field: String) {
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n") == 400)
    #expect(refusal("GET / HTTP/1.1\r\n\(field)\r\nHost: a\r\n\r\n") == 400)
  }

  @Test(arguments: ["1.2", "2.0", "0.9", "3.0", "9.9"])
  func refusesOtherVersions(version: String) {
    #expect(refusal("GET / HTTP/\(version)\r\nHost: a\r\n\r\n") == 505)
  }

  @Test(arguments: [
    ("1.1", "", 400), ("1.1", "Host: a\r\n", nil), ("1.1", "Host:\r\n", nil), ("1.1", "Host: a\r\nhost: a\r\n", 400),
    ("1.1", "Host: a\r\nHost: b\r\n", 400), ("1.1", "Host: a b\r\n", 400), ("1.1", "Host: a/b\r\n", 400),
    ("1.1", "Host: u@a\r\n", 400), ("1.1", "Host: [::1]:80\r\n", nil), ("1.0", "", nil), ("1.0", "Host: a\r\n", nil),
    ("1.0", "Host: a\r\nHost: a\r\n", 400),
  ])
  func wantsOneHost(version: String, fields: String, status: Int?) {
    #expect(refusal("GET / HTTP/\(version)\r\n\(fields)\r\n") == status)
  }

  @Test(arguments: [(100, nil), (101, 431)])
  func limitsTheNumberOfFields(count: Int, status: Int?) {
    let fields = String(repeating: "a: b\r\n", count: count)
    #expect(refusal("GET / HTTP/1.0\r\n\(fields)\r\n") == status)
  }

  @Test(arguments: [(16_384, nil), (16_385, 431)])
  func limitsTheLengthOfAHead(count: Int, status: Int?) throws {
    let around = "GET / HTTP/1.0\r\na: \r\n\r\n".utf8.count
    let text = "GET / HTTP/1.0\r\na: \(String(repeating: "x", count: count - around))\r\n\r\n"
    #expect(refusal(text) == status)
    #expect(refusal(String(decoding: text.utf8.prefix(16_383), as: UTF8.self)) == nil)
  }

  @Test func refusesALongLineBeforeItEnds() {
    #expect(refusal(String(repeating: "x", count: 16_384)) == 431)
    #expect(refusal(String(repeating: "x", count: 16_383)) == nil)
  }

  @Test(arguments: [
    ("1.1", "", true), ("1.1", "Connection: close\r\n", false), ("1.1", "Connection: TE, Close\r\n", false),
    ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false), ("1.1", "Connection: closed\r\n", true),
    ("1.0", "", false), ("1.0", "Connection: Keep-Alive\r\n", true),
    ("1.0", "Connection: keep-alive, close\r\n", false),
    ("1.0", "Connection: te\r\nConnection: te , keep-alive\r\n", true),
  ])
  func saysWhetherTheConnectionStays(version: String, fields: String, stays: Bool) throws {
    #expect(try head("GET / HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n").keepAlive == stays)
  }

  @Test(arguments: [
    ("1.1", "100-continue", true), ("1.1", "100-Continue", true), ("1.1", "x, 100-continue", true),
    ("1.1", "100", false), ("1.0", "100-continue", false),
  ])
  func saysWhetherTheClientWaits(version: String, expectation: String, waits: Bool) throws {
    #expect(try head("PUT / HTTP/\(version)\r\nHost: a\r\nExpect: \(expectation)\r\n\r\n").expectsContinue == waits)
  }

  @Test func readsWhatItWrites() throws {
    let head = HTTPRequestHead(
      method: "PUT", target: HTTPTarget(key: Array("a b/..".utf8)), fields: ["Host": "n1:7776", "X-Empty": ""])
    let bytes = head.encoded()
    #expect(bytes == Array("PUT /a%20b/%2E%2E HTTP/1.1\r\nHost: n1:7776\r\nX-Empty: \r\n\r\n".utf8))
    #expect(try HTTPRequestHead.parse(bytes.span) == .head(head, byteCount: bytes.count))
  }

  @Test(arguments: ["", "A B", "A\r\n"])
  func trapsOnAMethodOfOursThatIsNoToken(method: String) async {
    await #expect(processExitsWith: .failure) { [method] in
      _ = HTTPRequestHead(method: method, target: HTTPTarget(key: [65])).encoded()
    }
  }

  @Test func reasonsAreOneShortPrintableLine() {
    let name = String(repeating: "\u{1}\n", count: 500)
    let bytes = Array("GET \(name) HTTP/1.1\r\n\r\n".utf8.filter { $0 != 10 })
    let error = #expect(throws: HTTPSyntaxError.self) { try HTTPRequestHead.parse(bytes.span) }
    let reason = error?.reason ?? ""
    #expect(!reason.isEmpty && reason.utf8.count < 300)
    #expect(reason.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F || $0.value >= 0x2000 })
  }
}
