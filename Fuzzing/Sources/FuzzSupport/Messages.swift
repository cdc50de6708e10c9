import KVCore
import KVDialect
import KVHTTP

/// Whether a text can stand in one line of a log or an answer, whatever it quotes.
package func isOneLine(_ text: String) -> Bool {
  !text.isEmpty && text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
}

/// Checks what is told of a failure, in both dialects.
package func checkTold(_ failure: Failure) {
  require(isOneLine(failure.message), "the failure is told in one line: \(failure.message.debugDescription)")
  let line = ClassicDialect.encode(.failure(failure))
  require(line.firstIndex(of: UInt8(ascii: "\n")) == line.count - 1, "a classic error is one line")
  let response = HTTPDialect.encode(.failure(failure), keepAlive: false, headOnly: false, now: Fixture.now)
  let (head, byteCount) = responseHead(response)
  require(head.status == failure.kind.rawValue, "the status tells the kind of failure")
  let framing = mustSucceed("our own error is framed") { () throws(HTTPSyntaxError) in
    try head.bodyFraming(requestMethod: "GET")
  }
  require(framing == .length(response.count - byteCount), "our own error has the length that it states")
}

/// The head that our own bytes begin with.
package func responseHead(_ bytes: [UInt8]) -> (head: HTTPResponseHead, byteCount: Int) {
  let parsed = mustSucceed("our own response is well-formed") { () throws(HTTPSyntaxError) in
    try HTTPResponseHead.parse(bytes.span)
  }
  guard case .head(let head, let byteCount) = parsed else { fatalError("not true: our own response is whole") }
  return (head, byteCount)
}

/// The head that our own bytes are.
package func requestHead(_ bytes: [UInt8], limits: HTTPHeadLimits = .ofClients) -> HTTPRequestHead {
  let parsed = mustSucceed("our own request is well-formed") { () throws(HTTPSyntaxError) in
    try HTTPRequestHead.parse(bytes.span, limits: limits)
  }
  guard case .head(let head, bytes.count) = parsed else { fatalError("not true: our own request is whole") }
  return head
}
