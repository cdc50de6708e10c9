import KVCore
import Testing

@testable import KVHTTP

private func parse(_ text: String) throws(HTTPSyntaxError) -> HTTPParsed<HTTPResponseHead> {
  let bytes = Array(text.utf8)
  return try HTTPResponseHead.parse(bytes.span)
}

private func refusal(_ text: String) -> Int? {
  do throws(HTTPSyntaxError) {
    _ = try parse(text)
    return nil
  } catch {
    return error.status
  }
}

@Suite struct HTTPResponseHeadTests {
  @Test(arguments: [
    ("HTTP/1.1 200 OK\r\n\r\n", 200), ("HTTP/1.1 204 \r\n\r\n", 204), ("HTTP/1.1 404 Not  here, é\r\n\r\n", 404),
    ("HTTP/1.1 100 Continue\r\n\r\n", 100), ("HTTP/1.0 599 x\r\n\r\n", 599),
  ])
  func readsStatusLines(text: String, status: Int) throws {
    let version = text.hasPrefix("HTTP/1.0") ? HTTPVersion.http10 : .http11
    let expected = HTTPResponseHead(status: status, version: version)
    #expect(try parse(text + "rest") == .head(expected, byteCount: text.utf8.count))
  }

  @Test(arguments: [
    ("HTTP/1.1 200\r\n\r\n", 400), ("HTTP/1.1 20 OK\r\n\r\n", 400), ("HTTP/1.1 2000 OK\r\n\r\n", 400),
    ("HTTP/1.1  200 OK\r\n\r\n", 400), ("HTTP/1.1 2x0 OK\r\n\r\n", 400), ("HTTP/1.1 099 OK\r\n\r\n", 400),
    ("HTTP/1.1 600 OK\r\n\r\n", 400), ("HTTP/1.1\t200 OK\r\n\r\n", 400), ("HTTP/1.1 200 O\u{0}K\r\n\r\n", 400),
    ("HTTP/1.1 200 OK\n\n", 400), ("\r\nHTTP/1.1 200 OK\r\n\r\n", 400), ("http/1.1 200 OK\r\n\r\n", 400),
    ("HTTP/2.0 200 OK\r\n\r\n", 505), ("ERROR: no\r\n\r\n", 400), ("HTTP/1.1 200 OK\r\na : b\r\n\r\n", 400),
    ("HTTP/1.1 200 OK\r\n a: b\r\n\r\n", 400), ("HTTP/1.1 +20 OK\r\n\r\n", 400),
  ])
  func refusesWrongHeads(text: String, status: Int) {
    #expect(refusal(text) == status)
  }

  @Test func everySplitGivesTheSameHead() throws {
    let text = "HTTP/1.1 201 Created\r\nETag: \"5\"\r\nContent-Length: 0\r\n\r\n"
    let bytes = Array((text + "HTTP").utf8)
    let expected = HTTPResponseHead(status: 201, fields: ["ETag": "\"5\"", "Content-Length": "0"])
    for count in 0...bytes.count {
      let parsed = try HTTPResponseHead.parse(bytes.span.extracting(0..<count))
      let isWhole = count >= text.utf8.count
      #expect(parsed == (isWhole ? .head(expected, byteCount: text.utf8.count) : .needMore), "first \(count) bytes")
    }
  }

  @Test(
    arguments: [
      (HTTPVersion.http11, [:], true), (.http11, ["Connection": "close"], false), (.http10, [:], false),
      (.http10, ["Connection": "keep-alive"], true),
    ] as [(HTTPVersion, HTTPFields, Bool)])
  func saysWhetherTheConnectionStays(version: HTTPVersion, fields: HTTPFields, stays: Bool) {
    #expect(HTTPResponseHead(status: 200, version: version, fields: fields).keepAlive == stays)
  }

  @Test(arguments: [
    (100, "Continue"), (201, "Created"), (204, "No Content"), (421, "Misdirected Request"),
    (507, "Insufficient Storage"), (299, ""),
  ])
  func readsWhatItWrites(status: Int, phrase: String) throws {
    let head = HTTPResponseHead(status: status, fields: ["Content-Length": "5"])
    let bytes = head.encoded()
    #expect(bytes == Array("HTTP/1.1 \(status) \(phrase)\r\nContent-Length: 5\r\n\r\n".utf8))
    #expect(try HTTPResponseHead.parse(bytes.span) == .head(head, byteCount: bytes.count))
  }

  @Test(arguments: [0, 99, 600, -200])
  func trapsOnAStatusThatIsNone(status: Int) async {
    await #expect(processExitsWith: .failure) { [status] in
      _ = HTTPResponseHead(status: status).encoded()
    }
  }
}
