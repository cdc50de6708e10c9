import KVCore
import KVHTTP
import TestSupport
import Testing

@testable import KVDialect

/// The request in a head of these lines, CRLF and blank line left out.
private func request(_ lines: String...) throws -> ValueRequest {
  let bytes = Array(lines.map { $0 + "\r\n" }.joined().utf8) + Array("\r\n".utf8)
  guard case .head(let head, byteCount: bytes.count) = try HTTPRequestHead.parse(bytes.span) else {
    throw Failure(.badRequest, "the test's head is not whole")
  }
  return try HTTPDialect.valueRequest(head)
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
    ("/a/b", "a/b"), ("//", "/"), ("/%2E%2E", ".."), ("/a%20b", "a b"), ("/a+b", "a+b"), ("/a?x=y", "a"),
    ("/gr%C3%B6%C3%9Fe", "größe"), ("/%00", "\0"), ("/%25", "%"), ("http://other/a", "a"),
  ])
  func theKeyIsThePathDecoded(target: String, key: String) throws {
    #expect(try request("GET \(target) HTTP/1.1", host).key.bytes == Array(key.utf8))
  }

  @Test func theLongestKeyFitsEscaped() throws {
    let target = "/" + String(repeating: "%FF", count: 1024)
    #expect(try request("GET \(target) HTTP/1.1", host).key.bytes == [UInt8](repeating: 0xFF, count: 1024))
  }

  @Test(arguments: ["POST", "put", "DEL", "OPTIONS", "PATCH"])
  func refusesOtherMethods(method: String) {
    let failure = Failure(.methodNotAllowed, "\(method) is not supported (only PUT, GET, HEAD, DELETE)")
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
    #expect(throws: failure) { try request("\(method) /a HTTP/1.1", host, "Transfer-Encoding: chunked") }
    #expect(try request("\(method) /a HTTP/1.1", host, "Content-Length: 0").key.bytes == [0x61])
  }

  @Test(arguments: [
    ("/", "the key is empty"), ("/?a", "the key is empty"), ("*", "the request target '*' names no key"),
    ("/%2", "'%2' in the path is no percent-encoded byte"),
    ("/" + String(repeating: "k", count: 1025), "the key has 1025 bytes, the most is 1024"),
  ])
  func refusesWhatIsNoKey(target: String, message: String) {
    #expect(throws: Failure(.badRequest, message)) { try request("GET \(target) HTTP/1.1", host) }
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

  @Test(
    arguments: [
      (
        .stored(key("a"), checksum: checksum, created: true),
        [
          "201 Created", "ETag: \"99aa06d3014798d86001c324468d497f\"", "Content-Length: 0", "Date: \(date)",
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
          "200 OK", "Content-Length: 134217728", "Content-Type: application/octet-stream", "Last-Modified: \(date)",
          "Accept-Ranges: bytes", "ETag: \"99aa06d3014798d86001c324468d497f\"", "Date: \(date)", "Server: kvnode",
        ], ""
      ),
      (
        .value(ValueHead(byteCount: 0, checksum: nil)),
        [
          "200 OK", "Content-Length: 0", "Content-Type: application/octet-stream", "Last-Modified: \(date)",
          "Accept-Ranges: bytes", "Date: \(date)", "Server: kvnode",
        ], ""
      ),
      (.deleted(key("a"), existed: true), ["204 No Content", "Date: \(date)", "Server: kvnode"], ""),
      (
        .deleted(key("größe\n"), existed: false),
        [
          "404 Not Found", "Content-Type: text/plain; charset=utf-8", "Content-Length: 29", "Date: \(date)",
          "Server: kvnode",
        ],
        "DEL größe\\x0a: no such key\n"
      ),
      (
        .failure(Failure(.notFound, "GET größe: no")),
        [
          "404 Not Found", "Content-Type: text/plain; charset=utf-8", "Content-Length: 16", "Date: \(date)",
          "Server: kvnode",
        ],
        "GET größe: no\n"
      ),
      (
        .failure(Failure(.unavailable, "no")),
        [
          "503 Service Unavailable", "Retry-After: 1", "Content-Type: text/plain; charset=utf-8", "Content-Length: 3",
          "Date: \(date)", "Server: kvnode",
        ], "no\n"
      ),
      (
        .failure(Failure(.methodNotAllowed, "no")),
        [
          "405 Method Not Allowed", "Allow: PUT, GET, HEAD, DELETE", "Content-Type: text/plain; charset=utf-8",
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
