import KVCore
import KVHTTP
import Testing
import TestSupport

@testable import KVDialect

private let owner = Peer(name: "node2", address: PeerAddress(host: .address(.v4(0xC000_020C))))
private let mark = RelayMark(node: "node1", fingerprint: "0123abcd")

private func key(_ text: String) throws(KeyError) -> Key { try Key(text.utf8) }

private func head(_ request: ValueRequest) -> String {
  String(decoding: PeerProtocol.head(request, to: owner, mark: mark).encoded(), as: UTF8.self)
}

private func lines(_ lines: String...) -> String { lines.map { $0 + "\r\n" }.joined() + "\r\n" }

@Suite struct PeerProtocolTests {
  private static let tag = "\"xxh3-99aa06d3014798d86001c324468d497f\""
  private static let checksum = ValueChecksum(high: 0x99AA_06D3_0147_98D8, low: 0x6001_C324_468D_497F)

  @Test func headsWithoutAValue() throws {
    let fields = ["Host: 192.0.2.12:7776", "Kvnode-Relayed-By: node1", "Kvnode-Peers: 0123abcd"]
    let get = ValueRequest(operation: .get, key: try key("a/b c"))
    #expect(head(get) == lines("GET /a/b%20c HTTP/1.1", fields[0], fields[1], fields[2]))
    let delete = ValueRequest(operation: .delete, key: try key(".."), body: .length(0))
    #expect(head(delete) == lines("DELETE /%2E%2E HTTP/1.1", fields[0], fields[1], fields[2]))
  }

  @Test(
    arguments: [
      (.length(5), 5, ["Content-Length: 5"]), (.none, nil, ["Transfer-Encoding: chunked"]),
      (.length(0), 0, ["Transfer-Encoding: chunked", "Kvnode-Value-Length: 0"]),
      (.chunked, nil, ["Transfer-Encoding: chunked"]), (.untilEnd, nil, ["Transfer-Encoding: chunked"]),
      (.exactly(5), 5, ["Transfer-Encoding: chunked", "Kvnode-Value-Length: 5"]),
      (.chunked, 0, ["Transfer-Encoding: chunked", "Kvnode-Value-Length: 0"]),
    ] as [(BodyFraming, Int?, [String])])
  func headsOfValuesAskFirst(body: BodyFraming, valueBytes: Int?, framing: [String]) throws {
    let put = ValueRequest(operation: .put, key: try key("a"), body: body, valueBytes: valueBytes)
    let expected =
      ["PUT /a HTTP/1.1", "Host: 192.0.2.12:7776", "Kvnode-Relayed-By: node1", "Kvnode-Peers: 0123abcd"]
      + framing + ["Expect: 100-continue"]
    #expect(head(put) == expected.map { $0 + "\r\n" }.joined() + "\r\n")
  }

  @Test(
    arguments: [
      (.length(5), .length(5)), (.chunked, .chunked), (.length(0), .chunked), (.none, .chunked), (.untilEnd, .chunked),
    ] as [(BodyFraming, BodyFraming)])
  func aRelayedValueIsAlwaysFramed(body: BodyFraming, framing: BodyFraming) throws {
    #expect(PeerProtocol.bodyFraming(ValueRequest(operation: .put, key: try key("a"), body: body)) == framing)
  }

  @Test func theOwnerReadsWhatTheRelayWrites() throws {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<300 {
      let byteCount = Int.random(in: 1...1024, using: &generator)
      let key = try Key((0..<byteCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
      let operation = [KVCore.Operation.put, .get, .delete].randomElement(using: &generator) ?? .get
      let length = Bool.random(using: &generator) ? Int.random(in: 0...Int.max >> 4, using: &generator) : nil
      let request = ValueRequest(
        operation: operation, key: key, body: operation == .put ? .untilEnd : .none,
        valueBytes: operation == .put ? length : nil)
      let bytes = PeerProtocol.head(request, to: owner, mark: mark).encoded()
      guard case .head(let head, byteCount: bytes.count) = try HTTPRequestHead.parse(bytes.span) else {
        Issue.record("the head is not whole")
        return
      }
      let expected = ValueRequest(
        operation: operation, key: key, body: operation == .put ? .chunked : .none, valueBytes: request.valueBytes,
        relayed: mark)
      #expect(try HTTPDialect.request(head, now: .fixture) == .value(expected))
      #expect(head.expectsContinue == (operation == .put))
    }
  }

  private static let date = "Sun, 06 Nov 1994 08:49:37 GMT"

  private static func value(_ byteCount: Int, _ checksum: ValueChecksum?) -> ValueHead {
    ValueHead(byteCount: byteCount, checksum: checksum)
  }

  /// A request that any answer may come to.
  private static func askingForAll(_ operation: KVCore.Operation) -> ValueRequest {
    var request = ValueRequest(operation: operation, key: keyA)
    request.range = "bytes=1-2"
    if let preconditions = try? Preconditions(["If-None-Match": tag], now: .fixture) {
      request.preconditions = preconditions
    }
    return request
  }

  private static let unconfirmed: ValueHead = {
    var unconfirmed = value(3, nil)
    unconfirmed.consistency = .any
    return unconfirmed
  }()

  private static let part: ValueHead = {
    var part = value(9, nil)
    part.range = 1..<3
    return part
  }()

  @Test(
    arguments: [
      (.put, 201, ["ETag": tag], .stored(keyA, checksum: checksum, created: true)),
      (.put, 201, [:], .stored(keyA, checksum: nil, created: true)),
      (.put, 204, ["ETag": tag], .stored(keyA, checksum: checksum, created: false)),
      (.put, 200, ["ETag": tag], .stored(keyA, checksum: checksum, created: nil)),
      (.get, 200, ["ETag": tag, "Content-Length": "5", "Last-Modified": date], .value(value(5, checksum))),
      (.get, 200, ["Content-Length": "0", "Last-Modified": date], .value(value(0, nil))),
      (.get, 206, ["Content-Length": "2", "Last-Modified": date, "Content-Range": "bytes 1-2/9"], .value(part)),
      (
        .get, 200, ["Content-Length": "3", "Last-Modified": date, "Kvnode-Consistency": "any", "Age": "9"],
        .value(unconfirmed)
      ),
      (.get, 304, ["ETag": tag, "Last-Modified": date], .notModified(value(0, checksum))),
      (.get, 416, ["Content-Range": "bytes */9"], .rangeNotSatisfiable(byteCount: 9)),
      (.delete, 204, [:], .deleted(keyA, existed: true)), (.delete, 404, [:], .deleted(keyA, existed: false)),
      (.get, 404, [:], nil), (.put, 404, [:], nil), (.put, 507, [:], nil), (.get, 421, [:], nil),
      (.delete, 503, [:], nil), (.get, 599, [:], nil),
    ] as [(KVCore.Operation, Int, HTTPFields, Response?)])
  func answersAreUnderstood(
    operation: KVCore.Operation, status: Int, fields: HTTPFields, response: Response?
  ) throws {
    let head = HTTPResponseHead(status: status, fields: fields)
    #expect(try PeerProtocol.response(head, to: Self.askingForAll(operation)) == response)
  }

  @Test(
    arguments: [
      (.get, 200, ["Last-Modified": date], "a value without Content-Length"),
      (.get, 200, ["Content-Length": "5"], "a value without Last-Modified"),
      (.get, 200, ["Content-Length": "x", "Last-Modified": date], "the Content-Length 'x' is no number"),
      (
        .get, 206, ["Content-Length": "3", "Last-Modified": date, "Content-Range": "bytes 1-2/9"],
        "a partial value whose Content-Range and Content-Length do not agree"
      ),
      (.get, 416, [:], "416 without the value's size"),
      (.get, 204, [:], "the unexpected status 204"), (.put, 202, [:], "the unexpected status 202"),
      (.put, 100, [:], "the unexpected status 100"), (.put, 302, [:], "the unexpected status 302"),
      (.delete, 200, [:], "the unexpected status 200"), (.delete, 201, [:], "the unexpected status 201"),
    ] as [(KVCore.Operation, Int, HTTPFields, String)])
  func otherAnswersAreErrors(operation: KVCore.Operation, status: Int, fields: HTTPFields, reason: String) {
    let head = HTTPResponseHead(status: status, fields: fields)
    #expect(throws: HTTPSyntaxError.bad(reason)) {
      try PeerProtocol.response(head, to: Self.askingForAll(operation))
    }
  }

  @Test(arguments: [
    "99aa06d3014798d86001c324468d497f", "\"99aa06d3014798d86001c324468d497\"", "\"99aa06d3014798d86001c324468d497g\"",
    "W/\"99aa06d3014798d86001c324468d49\"", "\"+9aa06d3014798d86001c324468d497f\"",
    "\"99aa06d3014798d8+001c324468d497f\"", "'99aa06d3014798d86001c324468d497f'", "\"\"",
  ])
  func aForeignEntityTagIsNoChecksum(tag: String) throws {
    let head = HTTPResponseHead(status: 201, fields: ["ETag": tag])
    let response = try PeerProtocol.response(head, to: ValueRequest(operation: .put, key: Self.keyA))
    #expect(response == .stored(Self.keyA, checksum: nil, created: true))
  }

  @Test(
    arguments: [
      (404, "GET a: no such key\n", .notFound, "GET a: no such key"),
      (421, "two lines\nthe second", .misdirected, "two lines"), (507, "crlf\r\nmore", .diskFull, "crlf"),
      (500, "no line end", .storeFailed, "no line end"), (418, "teapot", .unavailable, "teapot"),
      (502, "", .unavailable, "node2 (192.0.2.12:7776) answered with status 502"),
      (400, "\nfirst line empty", .badRequest, "node2 (192.0.2.12:7776) answered with status 400"),
      (503, "\u{1B}[2Jgröße\u{202E}", .unavailable, "\\x1b[2Jgröße\\xe2\\x80\\xae"),
      (404, "GET a\\x0ab: no such key\n", .notFound, "GET a\\x0ab: no such key"),
    ] as [(Int, String, Failure.Kind, String)])
  func theOwnersTextIsTakenOver(status: Int, text: String, kind: Failure.Kind, message: String) {
    let failure = PeerProtocol.failure(status: status, text: Array(text.utf8)[...], from: owner)
    #expect(failure == Failure(kind, message))
  }

  @Test func bytesThatAreNoTextAreEscaped() {
    let failure = PeerProtocol.failure(status: 503, text: [0x61, 0xFF, 0x5C, 0x00, 0x0A, 0x62], from: owner)
    #expect(failure.message == "a\\xff\\\\x00")
  }

  private static let marks: [(HTTPFields, RelayMark?)] = [
    ([:], nil), (["Kvnode-Relayed-By": "node1", "Kvnode-Peers": "0123abcd"], mark),
    (["kvnode-peers": "0123abcd", "KVNODE-RELAYED-BY": "node1"], mark),
  ]

  @Test(arguments: marks)
  func readsMarks(fields: HTTPFields, expected: RelayMark?) throws {
    #expect(try PeerProtocol.mark(fields) == expected)
  }

  @Test(arguments: ["Kvnode-Relayed-By", "Kvnode-Peers"])
  func refusesHalfAMark(name: String) {
    var fields = HTTPFields()
    fields.append(name, "0123abcd")
    #expect(throws: Failure(.badRequest, "Kvnode-Relayed-By and Kvnode-Peers come together or not at all")) {
      try PeerProtocol.mark(fields)
    }
  }

  @Test func marksAreCutShortAndEscaped() throws {
    let long = String(repeating: "n", count: 64)
    let read = try PeerProtocol.mark(["Kvnode-Relayed-By": long + "x", "Kvnode-Peers": "a\\b"])
    #expect(read == RelayMark(node: long, fingerprint: "a\\x5cb"))
  }

  private static let statedLengths: [(HTTPFields, Int?)] = [
    ([:], nil), (["Kvnode-Value-Length": "0"], 0), (["Kvnode-Value-Length": "9223372036854775807"], Int.max),
  ]

  @Test(arguments: statedLengths)
  func readsStatedLengths(fields: HTTPFields, expected: Int?) throws {
    #expect(try PeerProtocol.statedValueBytes(fields) == expected)
  }

  @Test(arguments: ["", "-1", "+1", "1 0", "x", "9223372036854775808"])
  func refusesStatedLengthsThatAreNone(text: String) {
    let fields: HTTPFields = ["Kvnode-Value-Length": text]
    #expect(throws: Failure(.badRequest, "Kvnode-Value-Length is no number")) {
      try PeerProtocol.statedValueBytes(fields)
    }
  }

  private static let keyA: Key = {
    guard let key = try? Key("a".utf8) else { preconditionFailure("the test's key is none") }
    return key
  }()

  /// To a classic client a part would look like the whole, and it has no words for the others.
  @Test(arguments: [(206, "Content-Range: bytes 0-0/5"), (304, "A: b"), (416, "Content-Range: bytes */5")])
  func whatNobodyAskedForIsNoAnswer(status: Int, field: String) throws {
    let text =
      "HTTP/1.1 \(status) Because\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 1\r\n\(field)\r\n\r\n"
    guard case .head(let head, _) = try HTTPResponseHead.parse(Array(text.utf8).span) else {
      Issue.record("no head")
      return
    }
    var request = ValueRequest(operation: .get, key: try key("a"))
    #expect(throws: HTTPSyntaxError.self) { _ = try PeerProtocol.response(head, to: request) }
    request.range = "bytes=0-0"
    request.preconditions = try Preconditions(["If-None-Match": "\"x\""], now: .fixture)
    #expect(try PeerProtocol.response(head, to: request) != nil)
  }

  @Test func theOwnerRecognisesWhatARelayIsAskedForOnceMore() throws {
    var request = ValueRequest(operation: .put, key: try key("a"))
    request.body = .length(3)
    request.idempotencyKey = try IdempotencyKey(parsing: "two words")
    let owner = Peer(name: "b", address: try PeerAddress(parsing: "192.0.2.1"))
    let head = PeerProtocol.head(request, to: owner, mark: RelayMark(node: "a", fingerprint: "0123", layout: nil))
    #expect(head.fields["Idempotency-Key"] == "\"two words\"")
  }
}
