import FuzzSupport
import KVCore
import KVDialect
import KVHTTP

/// The input is what a client sends that speaks HTTP; what follows the head is its first body bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = input(start, count)
  do throws(HTTPSyntaxError) {
    if case .head(let head, let byteCount) = try HTTPRequestHead.parse(bytes.span) {
      checkParsing(head, bytes: bytes, byteCount: byteCount)
      checkMeaning(head)
    }
  } catch {
    checkTold(Failure(error))
  }
  return 0
}

private func checkParsing(_ head: HTTPRequestHead, bytes: [UInt8], byteCount: Int) {
  require(byteCount <= min(bytes.count, HTTPHeadLimits.headBytesMax), "a head lies in what was shown")
  require(requestHead(Array(bytes[..<byteCount])) == head, "what follows a head does not change it")
  // Where a head is cut follows from its bytes, so that a finding can be repeated.
  let cut = bytes[..<byteCount].reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % byteCount
  let part = try? HTTPRequestHead.parse(bytes.span.extracting(0..<cut))
  require(part == .needMore, "a part of a head waits for the rest")
  checkDialect(Array(bytes[..<byteCount]))
  let encoded = head.encoded()
  if encoded.count <= HTTPHeadLimits.headBytesMax {
    require(requestHead(encoded) == head, "written anew, it is the same head")
  }
}

private func checkDialect(_ bytes: [UInt8]) {
  require(Dialect(firstLine: bytes.prefix { $0 != UInt8(ascii: "\n") }) == .http, "a head is told from a classic line")
}

private func checkMeaning(_ head: HTTPRequestHead) {
  _ = head.keepAlive
  do throws(Failure) {
    let request: ValueRequest
    switch try HTTPDialect.request(head, now: Fixture.now) {
    case .list(let list): return check(list)
    case .node, .message: return
    case .value(let value): request = value
    }
    check(request, head)
    checkRelay(request)
    for byteCount in [0, 1, 1000, HTTPHeadLimits.bodyBytesMax] { checkRead(request, byteCount: byteCount) }
  } catch {
    checkTold(error)
  }
}

private func check(_ list: ListRequest) {
  require((1...ListRequest.entriesMax).contains(list.limit), "a page has a limit")
  let again = mustSucceed("a listing that is written anew is one") { () throws(Failure) in
    try HTTPDialect.request(list.head(), now: Fixture.now)
  }
  var expected = list
  expected.relayed = nil
  require(again == .list(expected), "written anew, it is the same listing")
}

private func check(_ request: ValueRequest, _ head: HTTPRequestHead) {
  require((1...Key.bytesMax).contains(request.key.bytes.count), "a key has 1 to \(Key.bytesMax) bytes")
  require(request.operation.method == head.method, "the method is the operation's")
  require(request.valueBytes ?? 0 >= 0, "a length is not negative")
  require(request.body != .untilEnd, "no request goes on until the stream ends")
  require((request.operation == .put) || request.fields.isEmpty, "only a PUT says what is to be kept")
}

/// Checks what a value of that size is answered with, and that a relay reads the same from it.
private func checkRead(_ request: ValueRequest, byteCount: Int) {
  guard request.operation == .get || request.operation == .head else { return }
  let value = ValueHead(byteCount: byteCount, checksum: ValueChecksum(high: 1, low: 2), modifiedAt: Fixture.now)
  let response = ReadOutcome.response(to: request, value, now: Fixture.now)
  let bytes = HTTPDialect.encode(
    response, keepAlive: true, headOnly: request.operation == .head, now: Fixture.now)
  let head = responseHead(bytes).head
  let relayed = mustSucceed("a relay reads the answer") { () throws(HTTPSyntaxError) in
    try PeerProtocol.response(head, to: request)
  }
  switch response {
  case .value(let part):
    require(part.offsets.clamped(to: 0..<byteCount) == part.offsets, "a part lies in the value")
    require(part.range?.isEmpty != true, "a part has a byte")
    require(relayed == response, "a relay answers the same")
  case .rangeNotSatisfiable: require(relayed == response, "a relay answers the same")
  case .notModified: require(head.status == 304, "what has not changed is not sent")
  default: require(head.status == 412, "nothing else comes of a read")
  }
}
