import Testing

@testable import KVHTTP

private enum Outcome: Equatable, Sendable {
  case framing(BodyFraming)
  case status(Int)
}

private func requestOutcome(_ fields: String, version: String = "1.1") -> Outcome {
  let bytes = Array("PUT /a HTTP/\(version)\r\nHost: a\r\n\(fields)\r\n".utf8)
  do throws(HTTPSyntaxError) {
    guard case .head(let head, _) = try HTTPRequestHead.parse(bytes.span) else { return .status(0) }
    return .framing(try head.bodyFraming())
  } catch {
    return .status(error.status)
  }
}

private func responseOutcome(_ fields: String, status: Int, method: String, version: String = "1.1") -> Outcome {
  let bytes = Array("HTTP/\(version) \(status) x\r\n\(fields)\r\n".utf8)
  do throws(HTTPSyntaxError) {
    guard case .head(let head, _) = try HTTPResponseHead.parse(bytes.span) else { return .status(0) }
    return .framing(try head.bodyFraming(requestMethod: method))
  } catch {
    return .status(error.status)
  }
}

@Suite struct BodyFramingTests {
  @Test(
    arguments: [
      ("", .framing(.none)),
      ("Content-Length: 0\r\n", .framing(.length(0))),
      ("content-length:\t 5 \r\n", .framing(.length(5))),
      ("Content-Length: 007\r\n", .framing(.length(7))),
      ("Content-Length: 1152921504606846976\r\n", .framing(.length(1 << 60))),
      ("Transfer-Encoding: chunked\r\n", .framing(.chunked)),
      ("transfer-encoding:  Chunked \r\n", .framing(.chunked)),
    ] as [(String, Outcome)])
  fileprivate func framesRequests(fields: String, outcome: Outcome) {
    #expect(requestOutcome(fields) == outcome)
  }

  @Test(arguments: [
    ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", 400),
    ("Content-Length: 5\r\nContent-Length: 5\r\n", 400),
    ("Content-Length: 5\r\nContent-Length: 6\r\n", 400),
    ("Content-Length: 5\r\ncontent-length: 5\r\n", 400),
    ("Content-Length: 5, 5\r\n", 400),
    ("Content-Length: 5,6\r\n", 400),
    ("Content-Length: +5\r\n", 400),
    ("Content-Length: -5\r\n", 400),
    ("Content-Length: -0\r\n", 400),
    ("Content-Length: 0x5\r\n", 400),
    ("Content-Length: 5 5\r\n", 400),
    ("Content-Length: 5.0\r\n", 400),
    ("Content-Length: 5e1\r\n", 400),
    ("Content-Length: ٥\r\n", 400),
    ("Content-Length: five\r\n", 400),
    ("Content-Length:\r\n", 400),
    ("Content-Length: \"5\"\r\n", 400),
    ("Content-Length : 5\r\n", 400),
    ("Content-Length\r\n", 400),
    ("Content-Length: 1152921504606846977\r\n", 400),
    ("Content-Length: 9223372036854775808\r\n", 400),
    ("Content-Length: 18446744073709551621\r\n", 400),
    ("Content-Length: 99999999999999999999999999999999\r\n", 400),
    ("Transfer-Encoding:\r\n", 400),
    ("Transfer-Encoding: gzip\r\n", 501),
    ("Transfer-Encoding: identity\r\n", 501),
    ("Transfer-Encoding: gzip, chunked\r\n", 501),
    ("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
    ("Transfer-Encoding: xchunked\r\n", 501),
    ("Transfer-Encoding: chunked;q=1\r\n", 501),
    ("Transfer-Encoding: \"chunked\"\r\n", 501),
    ("Transfer-Encoding: chunked, gzip\r\n", 400),
    ("Transfer-Encoding: chunked, identity\r\n", 400),
    ("Transfer-Encoding: chunked, chunked\r\n", 400),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
    ("Transfer-Encoding: , chunked\r\n", 400),
    ("Transfer-Encoding: chunked,\r\n", 400),
    ("Transfer-Encoding : chunked\r\n", 400),
    ("Transfer-Encoding: \u{B}chunked\r\n", 400),
    ("Transfer-Encoding:\r\n chunked\r\n", 400),
    ("X: y\r\n Transfer-Encoding: chunked\r\n", 400),
    ("X: y\rTransfer-Encoding: chunked\r\n", 400),
    ("X: y\nTransfer-Encoding: chunked\r\n", 400),
  ])
  func refusesWhatCouldBeReadInTwoWays(fields: String, status: Int) {
    #expect(requestOutcome(fields) == .status(status))
  }

  @Test func refusesTransferEncodingInHTTP10() {
    #expect(requestOutcome("Transfer-Encoding: chunked\r\n", version: "1.0") == .status(400))
    #expect(
      responseOutcome("Transfer-Encoding: chunked\r\n", status: 200, method: "GET", version: "1.0") == .status(400))
  }

  @Test(
    arguments: [
      ("GET", 200, "", .framing(.untilEnd)),
      ("GET", 200, "Content-Length: 5\r\n", .framing(.length(5))),
      ("GET", 200, "Transfer-Encoding: chunked\r\n", .framing(.chunked)),
      ("GET", 200, "Transfer-Encoding: gzip\r\n", .status(501)),
      ("GET", 404, "", .framing(.untilEnd)),
      ("HEAD", 200, "Content-Length: 5\r\n", .framing(.none)),
      ("HEAD", 200, "", .framing(.none)),
      ("HEAD", 200, "Transfer-Encoding: chunked\r\n", .framing(.none)),
      ("PUT", 204, "", .framing(.none)),
      ("PUT", 204, "Content-Length: 5\r\n", .framing(.none)),
      ("GET", 304, "Content-Length: 5\r\n", .framing(.none)),
      ("PUT", 100, "", .framing(.none)),
      ("PUT", 199, "Content-Length: 5\r\n", .framing(.none)),
      ("HEAD", 200, "Content-Length: 5\r\nContent-Length: 5\r\n", .status(400)),
      ("GET", 200, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", .status(400)),
    ] as [(String, Int, String, Outcome)])
  fileprivate func framesResponses(method: String, status: Int, fields: String, outcome: Outcome) {
    #expect(responseOutcome(fields, status: status, method: method) == outcome)
  }
}
