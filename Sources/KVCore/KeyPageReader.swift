extension KeyPage {
  /// Reads the JSON of a page that another node wrote, or fails where the text is not such a page.
  public init(parsing text: [UInt8]) throws(HTTPSyntaxError) {
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
