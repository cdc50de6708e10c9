import FuzzSupport
import KVCore
import KVDialect

/// Traps on a line that nobody finds by chance: the verb, a key and a length, each of which is found only because
/// coverage of KVCore tells that half of the way was right.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let request = try? ClassicDialect.request(line: input(start, count)[...])
  require(request?.valueBytes == nil, "the control finds no length")
  return 0
}
