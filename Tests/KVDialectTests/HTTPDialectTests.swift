import KVCore
import KVHTTP
import TestSupport
import Testing

@testable import KVDialect

/// The request in a head of these lines, CRLF and blank line left out.
private func anyRequest(_ lines: [String]) throws -> Request {
  let bytes = Array(lines.map { $0 + "\r\n" }.joined().utf8) + Array("\r\n".utf8)
  guard case .head(let head, byteCount: bytes.count) = try HTTPRequestHead.parse(bytes.span) else {
    throw Failure(.badRequest, "the test's head is not whole")
  }
  return try HTTPDialect.request(head, now: .fixture)
}

private func request(_ lines: String...) throws -> ValueRequest {
  guard case .value(let request) = try anyRequest(lines) else { throw Failure(.badRequest, "no request about a value") }
  return request
}

private let host = "Host: node1"

@Suite struct HTTPDialectTests {
  @Test func readsRequests() throws {
    let key = try Key("hashme".utf8)
    #expect(try request("GET /hashme HTTP/1.1", host) == ValueRequest(operation: .get, key: key))
    #expect(try request("GET /hashme HTTP/1.0") == ValueRequest(operation: .get, key: key))
    #expect(try request("DELETE /hashme HTTP/1.1", host) == ValueRequest(operation: .delete, key: key))
    let sized = ValueRequest(operation: .put, key: key, body: .length(5), valueBytes: 5)
    #expect(try request("PUT /hashme HTTP/1.1", host, "Content-Length: 5") == sized)
    let empty = ValueRequest(operation: .put, key: key, body: .length(0), valueBytes: 0)
    #expect(try request("PUT /hashme HTTP/1.1", host, "Content-Length: 0") == empty)
    let chunked = ValueRequest(operation: .put, key: key, body: .chunked)
    #expect(try request("PUT /hashme HTTP/1.1", host, "Transfer-Encoding: chunked") == chunked)
  }

  @Test(arguments: [
    ("/a/b", "a/b"), ("//", "/"), ("/%2E%2E", ".."), ("/a%20b", "a b"), ("/a+b", "a+b"), ("/a?v=1&_=2", "a"),
    ("/a?", "a"),
    ("/gr%C3%B6%C3%9Fe", "größe"), ("/%00", "\0"), ("/%25", "%"), ("http://other/a", "a"),
  ])
  func theKeyIsThePathDecoded(target: String, key: String) throws {
    #expect(try request("GET \(target) HTTP/1.1", host).key.bytes == Array(key.utf8))
  }

  @Test func theLongestKeyFitsEscaped() throws {
    let target = "/" + String(repeating: "%FF", count: 1024)
    #expect(try request("GET \(target) HTTP/1.1", host).key.bytes == [UInt8](repeating: 0xFF, count: 1024))
  }

  @Test(arguments: ["POST", "put", "DEL", "PATCH", "COPY"])
  func refusesOtherMethods(method: String) {
    let failure = Failure(.methodNotAllowed, "\(method) is not supported (only PUT, GET, HEAD, DELETE, OPTIONS)")
    #expect(throws: failure) { try request("\(method) /a HTTP/1.1", host) }
  }

  @Test func refusesAPutWithoutLength() {
    let failure = Failure(.lengthRequired, "PUT a b: neither Content-Length nor chunked")
    #expect(throws: failure) { try request("PUT /a%20b HTTP/1.1", host) }
    #expect(throws: failure) { try request("PUT /a%20b HTTP/1.0") }
  }

  @Test(arguments: ["GET", "DELETE"])
  func refusesABodyThatMakesNoSense(method: String) throws {
    let failure = Failure(.badRequest, "\(method) a: a body makes no sense here")
    #expect(throws: failure) { try request("\(method) /a HTTP/1.1", host, "Content-Length: 1") }
    // Chunks may turn out to have nothing in them.
    #expect(try request("\(method) /a HTTP/1.1", host, "Transfer-Encoding: chunked").body == .chunked)
    #expect(try request("\(method) /a HTTP/1.1", host, "Content-Length: 0").key.bytes == [0x61])
  }

  @Test(arguments: [
    ("/?a", "the key is empty"), ("*", "the request target '*' names no key"),
    ("/%2", "'%2' in the path is no percent-encoded byte"),
    ("/" + String(repeating: "k", count: 1025), "the key has 1025 bytes, the most is 1024"),
  ])
  func refusesWhatIsNoKey(target: String, message: String) {
    #expect(throws: Failure(.badRequest, message)) { try request("GET \(target) HTTP/1.1", host) }
  }

  @Test(arguments: [
    ("PUT", "acl"), ("PUT", "tagging"), ("PUT", "uploadId=x&partNumber=1"), ("PUT", "list"), ("PUT", "v=1"),
    ("DELETE", "tagging"), ("DELETE", "versionId=1"), ("DELETE", "_=1"), ("GET", "acl"), ("GET", "v=1&torrent"),
    ("HEAD", "list"), ("HEAD", "x"), ("PUT", "status"), ("GET", "health"), ("GET", "V=1"),
  ])
  func refusesAQueryThatMeansNothing(method: String, query: String) {
    let failure = #expect(throws: Failure.self) {
      _ = try anyRequest(["\(method) /a?\(query) HTTP/1.1", host, "Content-Length: 0"])
    }
    #expect(failure?.kind == .badRequest)
    #expect(failure?.message.hasSuffix("has no meaning here; nothing was done") == true)
  }

  @Test(arguments: [
    "x-amz-copy-source: /b/c", "X-Amz-Copy-Source: b", "Content-Encoding: aws-chunked",
    "Content-Encoding: gzip, aws-chunked", "x-amz-decoded-content-length: 5",
    "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
  ])
  func refusesWhatOtherStoresMean(field: String) {
    let failure = #expect(throws: Failure.self) { _ = try request("PUT /a HTTP/1.1", host, "Content-Length: 0", field) }
    #expect(failure?.kind == .badRequest)
  }

  @Test(arguments: [
    ("If-None-Match", "*, *"), ("If-None-Match", "*,"), ("If-None-Match", "*, \"a\""), ("If-None-Match", "a"),
    ("If-None-Match", ""), ("If-None-Match", "\"a"), ("If-None-Match", "\"a\" \"b\""), ("If-None-Match", ","),
    ("If-Match", "w/\"a\""), ("If-Match", "'a'"), ("If-Match", "\"a\", *"), ("If-Match", "\"a b\""),
    ("If-Modified-Since", "yesterday"), ("If-Modified-Since", ""), ("If-Unmodified-Since", "1994-11-06"),
    ("If-Range", "a"), ("If-Range", "\"a\", \"b\""), ("If-Range", "W/a"),
  ])
  func refusesAConditionThatCannotBeRead(name: String, value: String) {
    for method in ["GET", "PUT", "DELETE", "HEAD"] {
      let failure = #expect(throws: Failure.self) {
        _ = try request("\(method) /a HTTP/1.1", host, "Content-Length: 0", "\(name): \(value)")
      }
      #expect(failure?.kind == .badRequest)
      #expect(failure?.message.contains(name) == true)
    }
  }

  @Test(arguments: [("any", ReadConsistency.any), ("majority", .majority)])
  func readsWhatMayAnswerARead(text: String, consistency: ReadConsistency) throws {
    for method in ["GET", "HEAD"] {
      #expect(try request("\(method) /a HTTP/1.1", host, "Kvnode-Consistency: \(text)").consistency == consistency)
    }
    #expect(try request("GET /a HTTP/1.1", host).consistency == nil)
  }

  @Test(arguments: [
    ("GET", "ANY", "GET a: Kvnode-Consistency: expected majority or any"),
    ("HEAD", "", "HEAD a: Kvnode-Consistency: expected majority or any"),
    ("PUT", "any", "PUT a: Kvnode-Consistency: any is for reading; nothing was done"),
    ("DELETE", "any", "DEL a: Kvnode-Consistency: any is for reading; nothing was done"),
  ])
  func refusesAConsistencyThatThereIsNot(method: String, text: String, message: String) {
    let failure = #expect(throws: Failure.self) {
      _ = try request("\(method) /a HTTP/1.1", host, "Content-Length: 0", "Kvnode-Consistency: \(text)")
    }
    #expect(failure?.kind == .badRequest)
    #expect(failure?.message == message)
  }

  @Test(
    arguments: [
      ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"), ("\"two words\"", "two words"),
      ("~", "~"), (String(repeating: "k", count: 255), String(repeating: "k", count: 255)),
    ])
  func readsByWhatAPutIsRecognised(field: String, text: String) throws {
    let put = try request("PUT /a HTTP/1.1", host, "Content-Length: 0", "Idempotency-Key: \(field)")
    #expect(put.idempotencyKey?.text == text)
    for method in ["GET", "HEAD", "DELETE"] {
      #expect(try request("\(method) /a HTTP/1.1", host, "Idempotency-Key: \(field)").idempotencyKey == nil)
    }
    #expect(try request("PUT /a HTTP/1.1", host, "Content-Length: 0").idempotencyKey == nil)
  }

  @Test(arguments: [
    [""], ["\"\""], ["\""], ["a\"b"], ["\"a\\\"b\""], ["\u{E9}"], [String(repeating: "k", count: 256)], ["a", "b"],
  ])
  func refusesAnIdempotencyKeyThatIsNone(fields: [String]) {
    let lines = fields.map { "Idempotency-Key: \($0)" }
    let failure = #expect(throws: Failure.self) {
      _ = try anyRequest(["PUT /a HTTP/1.1", host, "Content-Length: 0"] + lines)
    }
    #expect(failure?.kind == .badRequest)
    #expect(failure?.message.hasPrefix("PUT a: Idempotency-Key: expected ") == true)
  }

  @Test func refusesTwoAsterisksInTwoFields() {
    #expect(throws: Failure.self) {
      _ = try request("PUT /a HTTP/1.1", host, "Content-Length: 0", "If-None-Match: *", "If-None-Match: *")
    }
  }

  @Test func keepsWhatIsSaidOfAValue() throws {
    let put = try request(
      "PUT /a HTTP/1.1", host, "Content-Length: 0", "Content-Type: text/plain", "content-encoding: gzip",
      "Content-Disposition: attachment; filename=\"a\"", "Content-Language: de", "Cache-Control: max-age=60",
      "Expires: Sun, 06 Nov 1994 08:49:37 GMT", "Kvnode-Meta-Owner: me", "X-Other: no", "kvnode-meta-B:")
    #expect(put.fields.contentType == "text/plain")
    #expect(
      put.fields.others.map { "\($0.name): \($0.value)" } == [
        "content-encoding: gzip", "Content-Disposition: attachment; filename=\"a\"", "Content-Language: de",
        "Cache-Control: max-age=60", "Expires: Sun, 06 Nov 1994 08:49:37 GMT", "Kvnode-Meta-Owner: me",
        "kvnode-meta-B: ",
      ])
    #expect(ValueFields(decoding: put.fields.encoded) == put.fields)
  }

  @Test(arguments: ["", "gr\u{F6}\u{DF}e", "a/b; c=\u{FF}"])
  func anOddContentTypeDoesNotRefuseAValue(type: String) throws {
    let bytes =
      Array("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Type: ".utf8)
      + type.unicodeScalars.map { UInt8($0.value) } + Array("\r\n\r\n".utf8)
    guard case .head(let head, _) = try HTTPRequestHead.parse(bytes.span),
      case .value(let put) = try HTTPDialect.request(head, now: .fixture)
    else {
      Issue.record("no request")
      return
    }
    #expect(put.fields.contentType == (type.isEmpty ? nil : type))
    #expect(ValueFields(decoding: put.fields.encoded) == put.fields)
  }

  @Test func refusesToKeepTooMuch() throws {
    let fits = String(repeating: "x", count: 2048 - "Kvnode-Meta-A: \r\n".utf8.count)
    _ = try request("PUT /a HTTP/1.1", host, "Content-Length: 0", "Kvnode-Meta-A: \(fits)")
    for field in ["Kvnode-Meta-A: \(fits)x", "Content-Type: \(String(repeating: "x", count: 256))"] {
      let failure = #expect(throws: Failure.self) {
        _ = try request("PUT /a HTTP/1.1", host, "Content-Length: 0", field)
      }
      #expect(failure?.kind == .badRequest)
    }
  }

  @Test(
    arguments: [
      ("GET /?status HTTP/1.1", .status), ("HEAD /?status HTTP/1.1", .status), ("GET /?health HTTP/1.1", .health),
      ("HEAD /?health HTTP/1.0", .health), ("GET /?layout HTTP/1.1", .layout(isBinary: false)),
      ("HEAD /?layout HTTP/1.1", .layout(isBinary: false)),
      ("GET /?layout&format=binary HTTP/1.1", .layout(isBinary: true)),
      ("GET / HTTP/1.1", .welcome), ("HEAD / HTTP/1.1", .welcome),
      ("OPTIONS / HTTP/1.0", .methodsOfNode), ("OPTIONS * HTTP/1.1", .methodsOfNode), ("OPTIONS /a HTTP/1.1", .methods),
      ("OPTIONS /a?b HTTP/1.1", .methods),
    ] as [(String, NodeRequest)])
  func asksAboutTheNode(line: String, expected: NodeRequest) throws {
    #expect(try anyRequest([line, host]) == .node(expected))
  }

  @Test func anotherNodeMayAskAboutTheNodeToo() throws {
    let mark = RelayMark(node: "node1", fingerprint: "0123456789abcdef")
    let fields = ["Kvnode-Relayed-By: node1", "Kvnode-Peers: 0123456789abcdef"]
    let asked = try anyRequest(["GET /?status HTTP/1.1", host] + fields)
    #expect(asked == .node(.status, relayed: mark))
    #expect(asked.relayed == mark)
    // One of the two alone says nothing.
    #expect(throws: Failure.self) { try anyRequest(["GET /?status HTTP/1.1", host, fields[0]]) }
  }

  @Test func refusesFramingOfTwoMinds() {
    #expect(throws: Failure(.badRequest, "Content-Length beside Transfer-Encoding")) {
      try request("PUT /a HTTP/1.1", host, "Content-Length: 1", "Transfer-Encoding: chunked")
    }
    #expect(throws: Failure(.badRequest, "more than one Content-Length")) {
      try request("PUT /a HTTP/1.1", host, "Content-Length: 1", "Content-Length: 1")
    }
    #expect(throws: Failure(.notImplemented, "Transfer-Encoding 'gzip' is not implemented, only chunked")) {
      try request("PUT /a HTTP/1.1", host, "Transfer-Encoding: gzip")
    }
  }

  @Test func readsWhatARelayAdds() throws {
    let relayed = try request(
      "PUT /a HTTP/1.1", host, "Kvnode-Relayed-By: node2", "Kvnode-Peers: 0123abcd", "Transfer-Encoding: chunked",
      "Kvnode-Value-Length: 77")
    #expect(
      relayed
        == ValueRequest(
          operation: .put, key: try Key("a".utf8), body: .chunked, valueBytes: 77,
          relayed: RelayMark(node: "node2", fingerprint: "0123abcd")))
    let both = try request("PUT /a HTTP/1.1", host, "Content-Length: 5", "Kvnode-Value-Length: 77")
    #expect(both.valueBytes == 5)
  }

  @Test func refusesHalfARelayMark() {
    #expect(throws: Failure(.badRequest, "Kvnode-Relayed-By and Kvnode-Peers come together or not at all")) {
      try request("GET /a HTTP/1.1", host, "Kvnode-Peers: 0123abcd")
    }
  }

  private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
  private static let checksum = ValueChecksum(high: 0x99AA_06D3_0147_98D8, low: 0x6001_C324_468D_497F)
  private static let hourAgo = HTTPDate(secondsSince1970: HTTPDate.fixture.secondsSince1970 - 3600)
  private static let unconfirmed: ValueHead = {
    var head = ValueHead(byteCount: 3, checksum: nil, modifiedAt: hourAgo)
    head.consistency = .any
    return head
  }()

  @Test(
    arguments: [
      (
        .stored(key("a"), checksum: checksum, created: true),
        [
          "201 Created", "ETag: \"xxh3-99aa06d3014798d86001c324468d497f\"", "Content-Length: 0", "Date: \(date)",
          "Server: kvnode",
        ], ""
      ),
      (
        .stored(key("a"), checksum: nil, created: true),
        ["201 Created", "Content-Length: 0", "Date: \(date)", "Server: kvnode"], ""
      ),
      (
        .value(ValueHead(byteCount: 134_217_728, checksum: checksum)),
        [
          "200 OK", "Content-Length: 134217728", "Content-Type: application/octet-stream", "Cache-Control: no-cache",
          "Last-Modified: \(date)", "ETag: \"xxh3-99aa06d3014798d86001c324468d497f\"", "Accept-Ranges: bytes",
          "Date: \(date)", "Server: kvnode",
        ], ""
      ),
      (
        .value(ValueHead(byteCount: 0, checksum: nil)),
        [
          "200 OK", "Content-Length: 0", "Content-Type: application/octet-stream", "Cache-Control: no-cache",
          "Last-Modified: \(date)",
          "Accept-Ranges: bytes", "Date: \(date)", "Server: kvnode",
        ], ""
      ),
      (
        .value(unconfirmed),
        [
          "200 OK", "Content-Length: 3", "Content-Type: application/octet-stream", "Cache-Control: no-cache",
          "Last-Modified: \(hourAgo.formatted)", "Kvnode-Consistency: any", "Age: 3600", "Accept-Ranges: bytes",
          "Date: \(date)", "Server: kvnode",
        ], ""
      ),
      (.deleted(key("a"), existed: true), ["204 No Content", "Date: \(date)", "Server: kvnode"], ""),
      (
        .deleted(key("größe\n"), existed: false),
        [
          "404 Not Found", "Cache-Control: no-store", "Content-Type: text/plain; charset=utf-8", "Content-Length: 29",
          "Date: \(date)",
          "Server: kvnode",
        ],
        "DEL größe\\x0a: no such key\n"
      ),
      (
        .failure(Failure(.notFound, "GET größe: no")),
        [
          "404 Not Found", "Cache-Control: no-store", "Content-Type: text/plain; charset=utf-8", "Content-Length: 16",
          "Date: \(date)",
          "Server: kvnode",
        ],
        "GET größe: no\n"
      ),
      (
        .failure(Failure(.unavailable, "no")),
        [
          "503 Service Unavailable", "Cache-Control: no-store", "Retry-After: 1",
          "Content-Type: text/plain; charset=utf-8", "Content-Length: 3",
          "Date: \(date)", "Server: kvnode",
        ], "no\n"
      ),
      (
        .failure(Failure(.methodNotAllowed, "no")),
        [
          "405 Method Not Allowed", "Cache-Control: no-store", "Allow: PUT, GET, HEAD, DELETE, OPTIONS",
          "Content-Type: text/plain; charset=utf-8",
          "Content-Length: 3", "Date: \(date)", "Server: kvnode",
        ], "no\n"
      ),
    ] as [(Response, [String], String)])
  func writesResponses(response: Response, lines: [String], text: String) {
    let head = "HTTP/1.1 " + lines.map { $0 + "\r\n" }.joined()
    #expect(
      HTTPDialect.encode(response, keepAlive: true, headOnly: false, now: .fixture)
        == Array((head + "\r\n" + text).utf8))
    let closing = head + "Connection: close\r\n\r\n" + text
    #expect(HTTPDialect.encode(response, keepAlive: false, headOnly: false, now: .fixture) == Array(closing.utf8))
  }

  @Test func continueHasNoFields() {
    #expect(HTTPDialect.continueHead == Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
  }

  private static func key(_ text: String) -> Key {
    guard let key = try? Key(text.utf8) else { preconditionFailure("the test's key is none") }
    return key
  }
}
