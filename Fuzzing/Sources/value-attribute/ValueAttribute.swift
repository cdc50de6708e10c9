import FuzzSupport
import KVCore
import KVDialect
import KVHTTP

/// The input is what an extended attribute of a file holds: one or the other of the two that kvnode writes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = input(start, count)
  if let attribute = try? ValueAttribute(decoding: bytes) { check(attribute, bytes) }
  check(ValueFields(decoding: bytes))
  return 0
}

private func check(_ attribute: ValueAttribute, _ bytes: [UInt8]) {
  require(attribute.valueBytes >= 0, "a length is not negative")
  // One of the version before is written as this one writes.
  let again = mustSucceed("an attribute of our own can be read") { () throws(ValueAttributeError) in
    try ValueAttribute(decoding: attribute.encoded)
  }
  require(again == attribute, "an attribute is read as it was written")
  require(bytes.count == ValueAttribute.firstByteCount || attribute.encoded == bytes, "an attribute is written as read")
  require(attribute.checksum.bytes == Array(bytes[18..<34]), "the checksum has its place")
  let modifiedAt = HTTPDate(secondsSince1970: Int(attribute.committedAtNanoseconds / 1_000_000_000))
  require(HTTPDate.parse(modifiedAt.formatted, now: modifiedAt) == modifiedAt, "a time of commit is read as written")
  let value = ValueHead(byteCount: attribute.valueBytes, checksum: attribute.checksum, modifiedAt: modifiedAt)
  checkServed(value)
}

private func check(_ fields: ValueFields) {
  require(fields.encoded.count <= ValueFields.attributeBytesMax, "what is kept has a limit")
  require(ValueFields(decoding: fields.encoded) == fields, "what is kept is read as it was written")
  checkServed(ValueHead(byteCount: 1, checksum: nil, modifiedAt: Fixture.now, fields: fields))
}

/// Checks that another node learns of the value what this one knows.
private func checkServed(_ value: ValueHead) {
  let now = max(value.modifiedAt, Fixture.now)
  let head = HTTPDialect.encode(.value(value), keepAlive: true, headOnly: true, now: now)
  let key = mustSucceed("a key") { () throws(KeyError) in try Key("key".utf8) }
  // A length of which HTTP cannot speak is no value's: nothing that large is stored.
  guard value.byteCount <= HTTPHeadLimits.bodyBytesMax else { return }
  let response = mustSucceed("another node reads it") { () throws(HTTPSyntaxError) in
    try PeerProtocol.response(responseHead(head).head, to: ValueRequest(.get, key))
  }
  guard case .value(let learnt) = response else { fatalError("not true: a value is a value") }
  let isSame =
    learnt.byteCount == value.byteCount && learnt.checksum == value.checksum && learnt.modifiedAt == value.modifiedAt
  require(isSame && learnt.fields.contentType == value.fields.contentType, "another node learns the same")
  // To its clients it says the same, whether the caches' field came with the value or is the default.
  let again = HTTPDialect.encode(response ?? .value(value), keepAlive: true, headOnly: true, now: now)
  require(Set(lines(again)) == Set(lines(head)), "another node tells the same")
}

private func lines(_ bytes: [UInt8]) -> [String] {
  String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").map(String.init)
}
