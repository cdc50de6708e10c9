import FuzzSupport
import KVCore
import KVDialect
import KVHTTP
import KVStore

/// The input is taken for a key, for a path below `values/` and for a path in a request.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = input(start, count)
  if let key = try? Key(bytes) {
    checkPath(of: key)
    checkTarget(of: key)
    require(isOneLine(key.description), "a key is told in one line")
  }
  checkKey(atPath: bytes)
  checkKey(inRequest: bytes)
  return 0
}

private func checkPath(of key: Key) {
  let path = ValuePath(key: key, slot: Slot(digestByte0: key.bytes[0], digestByte1: 0))
  require(path.directories.first == ValuePath.shards[Int(key.bytes[0])], "the first directory is the slot's")
  for name in path.directories + [path.fileName] {
    require(isFileName(name), "\(name.debugDescription) can name a file and hides nothing")
  }
  let names = path.directories.dropFirst() + [path.fileName]
  require(ValuePath.key(names: Array(names)) == key, "the key is read back from its path")
}

private func isFileName(_ name: String) -> Bool {
  (1...255).contains(name.utf8.count) && name.utf8.first != UInt8(ascii: ".")
    && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
}

private func checkTarget(of key: Key) {
  let target = HTTPTarget(key: key.bytes)
  for segment in target.path.split(separator: UInt8(ascii: "/")) {
    require(![Array(".".utf8)[...], Array("..".utf8)[...]].contains(segment), "no client resolves a segment")
  }
  var list = ListRequest(prefix: key.bytes)
  list.from = key.bytes.reversed()
  list.limit = key.bytes.count
  list.delimiter = Array(key.bytes.prefix(ListRequest.delimiterBytesMax))
  let head = HTTPRequestHead(method: "GET", target: target, version: .http10)
  let read = requestHead(head.encoded())
  require(read == head, "a path of our own is read as written")
  let bytes = mustSucceed("a path of our own is a key's") { () throws(HTTPSyntaxError) in try read.target.keyBytes() }
  require(bytes == key.bytes, "the key is read back from a request's path")
  let listHead = requestHead(list.head(to: Fixture.owner, mark: Fixture.mark).encoded())
  let listRead = mustSucceed("a listing of our own is one") { () throws(Failure) in
    try HTTPDialect.request(listHead, now: Fixture.now)
  }
  list.relayed = Fixture.mark
  list.format = .lines
  require(listRead == .list(list), "a listing is read back from its head")
  require(ListToken.decode(Array(ListToken.encode(key.bytes).utf8)) == key.bytes, "and where a page begins")
}

/// The names of a file system are bytes; a name that is no text comes with replacement characters.
private func checkKey(atPath path: [UInt8]) {
  let names = path.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
  guard let key = ValuePath.key(names: names) else { return }
  let canonical = ValuePath(key: key, slot: Slot(number: 0))
  let written = canonical.directories.dropFirst() + [canonical.fileName]
  require(written.map { Array($0.utf8) } == names.map { Array($0.utf8) }, "one path only is a key's")
}

private func checkKey(inRequest path: [UInt8]) {
  guard let bytes = try? PercentCoding.decode(path.span) else { return }
  let again = mustSucceed("what was encoded can be decoded") { () throws(HTTPSyntaxError) in
    try PercentCoding.decode(PercentCoding.encode(bytes).span)
  }
  require(again == bytes, "encoded and decoded, a key is the same")
}
