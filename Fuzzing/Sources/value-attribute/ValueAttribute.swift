import FuzzSupport
import KVCore
import KVDialect
import KVHTTP

/// The input is what an extended attribute of a file holds: one or the other of the two that kvnode writes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = input(start, count)
  if let attribute = try? ValueAttribute(decoding: bytes) { check(attribute, bytes) }
  if let contentType = ContentType(decoding: bytes) { check(contentType, bytes) }
  return 0
}

private func check(_ attribute: ValueAttribute, _ bytes: [UInt8]) {
  require(attribute.valueBytes >= 0, "a length is not negative")
  require(attribute.encoded == bytes, "an attribute is written as it is read")
  require(attribute.checksum.bytes == Array(bytes.suffix(16)), "the checksum is the last 16 bytes")
  let modifiedAt = HTTPDate(secondsSince1970: Int(attribute.committedAtNanoseconds / 1_000_000_000))
  require(HTTPDate.parse(modifiedAt.formatted, now: modifiedAt) == modifiedAt, "a time of commit is read as written")
  let value = ValueHead(byteCount: attribute.valueBytes, checksum: attribute.checksum, modifiedAt: modifiedAt)
  checkServed(value)
}

private func check(_ contentType: ContentType, _ bytes: [UInt8]) {
  require((1...ContentType.bytesMax).contains(bytes.count), "a content type has 1 to \(ContentType.bytesMax) bytes")
  require(Array(contentType.description.utf8) == bytes, "a content type is kept as it came")
  let value = ValueHead(
    byteCount: bytes.count, checksum: nil, modifiedAt: Fixture.now, contentType: contentType)
  checkServed(value)
}

/// Checks that another node learns of the value what this one knows.
private func checkServed(_ value: ValueHead) {
  let head = HTTPDialect.encode(.value(value), keepAlive: true, headOnly: true, now: Fixture.now)
  let key = mustSucceed("a key") { () throws(KeyError) in try Key("key".utf8) }
  // A length of which HTTP cannot speak is no value's: nothing that large is stored.
  guard value.byteCount <= HTTPHeadLimits.bodyBytesMax else { return }
  let response = mustSucceed("another node reads it") { () throws(HTTPSyntaxError) in
    try PeerProtocol.response(responseHead(head).head, to: ValueRequest(.get, key))
  }
  require(response == .value(value), "another node learns the same")
}
