import KVHTTP

/// A page of a listing: keys in byte order, each once, and where the next page goes on.
package struct KeyPage: Equatable, Sendable {
  /// After so many bytes of keys a page ends, however many were asked for: memory follows the page.
  package static let textBytesMax = 1 << 20
  /// The most bytes that `json` can have: every byte of the keys as `%XX`, with quotes and commas.
  package static let jsonBytesMax = 3 * (textBytesMax + 2 * Key.bytesMax) + 3 * (ListRequest.keysMax + 1) + 64

  /// The keys, in byte order.
  package let keys: [[UInt8]]
  /// The first key that no longer fits, or nil where all fit.
  package let next: [UInt8]?

  /// The page as JSON: `{"keys":[…],"next":"…"}`, each key percent-encoded as it stands in a path, which leaves
  /// nothing that JSON would have to escape.
  package var json: [UInt8] {
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

extension KeyPage {
  /// Reads the JSON of a page that another node wrote, or fails where the text is not such a page.
  package init(parsing text: [UInt8]) throws(HTTPSyntaxError) {
    self = try KeyPageReader.parse(text)
  }
}

/// Reads a page of keys as nodes write it, and nothing more general: strings without escapes, no blanks.
private struct KeyPageReader {
  static func parse(_ text: [UInt8]) throws(HTTPSyntaxError) -> KeyPage {
    var reader = KeyPageReader(rest: text[...])
    try reader.take("{\"keys\":[")
    var keys: [[UInt8]] = []
    while reader.rest.first == UInt8(ascii: "\"") {
      keys.append(try reader.takeKey())
      guard reader.rest.first == UInt8(ascii: ",") else { break }
      reader.rest = reader.rest.dropFirst()
    }
    try reader.take("]")
    var next: [UInt8]?
    if reader.rest.first == UInt8(ascii: ",") {
      try reader.take(",\"next\":")
      next = try reader.takeKey()
    }
    try reader.take("}\n")
    guard reader.rest.isEmpty else { throw malformed }
    return KeyPage(keys: keys, next: next)
  }

  private static let malformed = HTTPSyntaxError.bad("the page of keys is not as nodes write it")

  private var rest: ArraySlice<UInt8>

  private mutating func take(_ text: StaticString) throws(HTTPSyntaxError) {
    let bytes = Array(text.description.utf8)
    guard rest.starts(with: bytes) else { throw Self.malformed }
    rest = rest.dropFirst(bytes.count)
  }

  private mutating func takeKey() throws(HTTPSyntaxError) -> [UInt8] {
    let quote = UInt8(ascii: "\"")
    try take("\"")
    guard let end = rest.firstIndex(of: quote) else { throw Self.malformed }
    let encoded = Array(rest[..<end])
    rest = rest[(end + 1)...]
    return try PercentCoding.decode(encoded.span)
  }
}

/// What a client or another node asks for when it lists keys: `GET /<prefix>?list[&start=][&limit=]`.
package struct ListRequest: Equatable, Sendable {
  /// The most keys a page has.
  package static let keysMax = 100_000
  /// How many it has where the client does not say.
  package static let keysDefault = 1000

  /// The bytes that the keys begin with; empty for all.
  package let prefix: [UInt8]
  /// The first key to list, by bytes, whether or not it exists; empty for the first there is.
  package let start: [UInt8]
  /// The most keys to list.
  package let limit: Int
  /// Set when another node asks: then only this node's keys are meant.
  package let relayed: RelayMark?

  /// A listing of all keys with the prefix, from the start on.
  package init(prefix: [UInt8], start: [UInt8] = [], limit: Int = keysDefault, relayed: RelayMark? = nil) {
    self.prefix = prefix
    self.start = start
    self.limit = limit
    self.relayed = relayed
  }

  /// Whether a key belongs to the listing, apart from the limit.
  package func includes(_ key: [UInt8]) -> Bool {
    key.starts(with: prefix) && !key.lexicographicallyPrecedes(start)
  }
}
