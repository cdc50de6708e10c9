import FuzzSupport
import KVCore
import KVDialect
import KVHTTP

/// The input is the line that opens a request in the classic dialect, without its LF.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let line = input(start, count)
  do throws(Failure) {
    check(try ClassicDialect.request(line: line[...]))
  } catch {
    require(error.kind == .badRequest, "a line that is no request is the client's mistake")
    checkTold(error)
  }
  return 0
}

private func check(_ request: ValueRequest) {
  require((1...Key.bytesMax).contains(request.key.bytes.count), "a key has 1 to \(Key.bytesMax) bytes")
  require(!request.key.bytes.contains(UInt8(ascii: " ")), "no classic key has a space")
  require(request.operation != .head, "the classic dialect has no HEAD")
  let valueBody = request.valueBytes.map { BodyFraming.exactly($0) } ?? .untilEnd
  require(
    request.body == (request.operation == .put ? valueBody : .none), "only a PUT has a value, as long as was said")
  require(request.valueBytes ?? 0 >= 0, "a length is not negative")
  require(request.operation == .put || request.valueBytes == nil, "only a PUT states a length")
  let again = mustSucceed("a request that is written anew is one") { () throws(Failure) in
    try ClassicDialect.request(line: written(request)[...])
  }
  require(again == request, "written anew, it is the same request")
  checkRelay(request)
}

/// Always with a CR, since a key may end in one.
private func written(_ request: ValueRequest) -> [UInt8] {
  let length = request.valueBytes.map { " \($0)" } ?? ""
  return Array("\(request.operation.rawValue) ".utf8) + request.key.bytes + Array("\(length)\r".utf8)
}
