import FuzzSupport
import KVCore
import KVHTTP

/// The input is taken for what other nodes answer with, a page of a listing and a status; for a text that is put into
/// JSON; and for lines that are gathered as groups of keys.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = input(start, count)
  if let page = try? ListPage(parsing: bytes) { checkWritten(page) }
  do throws(FlatJSONError) {
    _ = try FlatJSONObject(parsing: bytes)
  } catch {
    require((0...bytes.count).contains(error.offset), "an error lies in the text")
    require(isOneLine(error.description), "an error is told in one line")
  }
  checkText(String(decoding: bytes, as: UTF8.self))
  checkEscaping(bytes)
  checkGathering(bytes)
  return 0
}

private func checkWritten(_ page: ListPage) {
  let again = mustSucceed("a page of our own can be read") { () throws(HTTPSyntaxError) in
    try ListPage(parsing: page.written(as: .lines))
  }
  require(again == page, "a page is read as it was written")
}

private func checkText(_ text: String) {
  var object = JSONObject()
  object.add("number", Int.min)
  object.add("text", text)
  let read = mustSucceed("an object of our own can be read") { () throws(FlatJSONError) in
    try FlatJSONObject(parsing: object.bytes)
  }
  require(read.integer("number") == Int.min, "a number is read as it was written")
  // Strings that look the same are equal, so their bytes are compared.
  require(read.string("text").map { Array($0.utf8) } == Array(text.utf8), "a text is read as it was written")
}

private func checkEscaping(_ bytes: [UInt8]) {
  let text = PrintableText.escape(bytes)
  require(bytes.isEmpty || isOneLine(text), "what was escaped can stand in a line")
  require(unescaped(Array(text.utf8)) == bytes, "what was escaped can be told from anything else")
}

private func unescaped(_ text: [UInt8]) -> [UInt8] {
  var bytes: [UInt8] = []
  var rest = text[...]
  while let byte = rest.popFirst() {
    let value =
      byte == UInt8(ascii: "\\") ? UInt8(String(decoding: rest.dropFirst().prefix(2), as: UTF8.self), radix: 16) : nil
    bytes.append(value ?? byte)
    if value != nil { rest = rest.dropFirst(3) }
  }
  return bytes
}

/// The first line says how many keys have room and from which on not all are known.
private func checkGathering(_ bytes: [UInt8]) {
  var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
  let first = lines.removeFirst()
  guard let limit = first.first.map({ Int($0) + 1 }) else { return }
  let end = Array(first.dropFirst())
  var gathering = ListGathering(limit: limit)
  for line in lines { gathering.insert(.group(line)) }
  if !end.isEmpty { gathering.end(before: end) }
  let page = gathering.page()
  let known = Set(lines).filter { end.isEmpty || $0.lexicographicallyPrecedes(end) }
  let sorted = known.sorted { $0.lexicographicallyPrecedes($1) }
  require(page.entries.map(\.name) == Array(sorted.prefix(limit)), "a page has the first of the keys")
  let firstLeft = sorted.count > limit ? sorted[limit] : end.isEmpty ? nil : end
  require(page.next == behindLastGroup(of: page, firstLeft), "it tells where it ends")
  checkWritten(page)
}

/// What the last group of a page has told of is not gone through again.
private func behindLastGroup(of page: ListPage, _ next: [UInt8]?) -> [UInt8]? {
  guard let next, let group = page.entries.last?.name, next.starts(with: group) else { return next }
  return ListGathering.firstName(behind: group)
}
