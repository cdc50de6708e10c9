import FuzzSupport
import KVCore
import KVDialect
import KVHTTP

/// The input is what another node answers: a head, and the text of an error.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = input(start, count)
  do throws(HTTPSyntaxError) {
    if case .head(let head, let byteCount) = try HTTPResponseHead.parse(bytes.span) {
      checkParsing(head, bytes: bytes, byteCount: byteCount)
      for operation in Operation.allCases { checkMeaning(head, of: operation, text: bytes[byteCount...]) }
    }
  } catch {
    require(isOneLine(error.reason), "what is wrong is told in one line")
  }
  return 0
}

private func checkParsing(_ head: HTTPResponseHead, bytes: [UInt8], byteCount: Int) {
  require(byteCount <= min(bytes.count, HTTPHeadLimits.headBytesMax), "a head lies in what was shown")
  require(responseHead(Array(bytes[..<byteCount])).head == head, "what follows a head does not change it")
  // Where a head is cut follows from its bytes, so that a finding can be repeated.
  let cut = bytes[..<byteCount].reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % byteCount
  let part = try? HTTPResponseHead.parse(bytes.span.extracting(0..<cut))
  require(part == .needMore, "a part of a head waits for the rest")
  let encoded = head.encoded()
  if encoded.count <= HTTPHeadLimits.headBytesMax {
    require(responseHead(encoded).head == head, "written anew, it is the same head")
  }
}

private func checkMeaning(_ head: HTTPResponseHead, of operation: Operation, text: ArraySlice<UInt8>) {
  let key = mustSucceed("a key") { () throws(KeyError) in try Key("key".utf8) }
  var request = ValueRequest(operation, key)
  // Of an answer that it did not ask for, all that is checked is that it is none.
  request.range = "bytes=0-"
  request.preconditions = mustSucceed("a condition is one") { () throws(HTTPSyntaxError) in
    try Preconditions(["If-None-Match": "*"], now: Fixture.now)
  }
  _ = (head.keepAlive, try? head.bodyFraming(requestMethod: operation.method))
  do throws(HTTPSyntaxError) {
    if let response = try PeerProtocol.response(head, to: request) {
      checkPassedOn(response, to: request)
    } else {
      require(head.status >= 400, "an error is one")
      checkTold(PeerProtocol.failure(status: head.status, text: text, from: Fixture.owner))
    }
  } catch {
    require(isOneLine(error.reason), "what is wrong is told in one line")
  }
}

/// Checks that the client reads in the answer what the relay read in it.
private func checkPassedOn(_ response: Response, to request: ValueRequest) {
  if case .value(let value) = response {
    require(value.byteCount >= 0, "a length is not negative")
    require(value.offsets.clamped(to: 0..<value.byteCount) == value.offsets, "a part lies in the value")
  }
  let once = passedOn(response, to: request)
  require(passedOn(once, to: request) == once, "passed on again, an answer is the same")
}

private func passedOn(_ response: Response, to request: ValueRequest) -> Response {
  let bytes = HTTPDialect.encode(
    response, keepAlive: true, headOnly: request.operation == .head, now: Fixture.now)
  let again = mustSucceed("an answer that is passed on can be read") { () throws(HTTPSyntaxError) in
    try PeerProtocol.response(responseHead(bytes).head, to: request)
  }
  guard let again else { fatalError("not true: no success becomes an error") }
  return again
}
