/// A page of a listing: keys in byte order, each once, and where the next page goes on.
public struct KeyPage: Equatable, Sendable {
  /// After so many bytes of keys a page ends, however many were asked for: memory follows the page.
  public static let textBytesMax = 1 << 20
  /// The most bytes that `json` can have: every byte of the keys as `%XX`, with quotes and commas.
  public static let jsonBytesMax = 3 * (textBytesMax + 2 * Key.bytesMax) + 3 * (ListRequest.keysMax + 1) + 64

  /// The keys, in byte order.
  public let keys: [[UInt8]]
  /// The first key that no longer fits, or nil where all fit.
  public let next: [UInt8]?

  /// The page as JSON: `{"keys":[…],"next":"…"}`, each key percent-encoded as it stands in a path, which leaves
  /// nothing that JSON would have to escape.
  public var json: [UInt8] {
    var text = Array("{\"keys\":[".utf8)
    for (index, key) in keys.enumerated() {
      text += Array((index > 0 ? ",\"" : "\"").utf8) + PercentCoding.encode(key)
      text.append(UInt8(ascii: "\""))
    }
    text.append(UInt8(ascii: "]"))
    if let next { text += Array(",\"next\":\"".utf8) + PercentCoding.encode(next) + Array("\"".utf8) }
    return text + Array("}\n".utf8)
  }
}
