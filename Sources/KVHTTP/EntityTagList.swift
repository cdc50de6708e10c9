/// An entity tag (RFC 9110 section 8.8.3).
package struct EntityTag: Equatable, Sendable {
  /// What stands between the quotes.
  package let opaque: Substring
  /// Whether it only says that two representations do the same service, not that they are the same bytes.
  package let isWeak: Bool
}

/// The value of If-Match or If-None-Match (RFC 9110 section 13.1): `*`, or entity tags separated by commas.
///
/// A list that is not just that is an error: read generously, a condition that its sender misspelt would let through
/// what it was meant to stop.
package struct EntityTagList: Equatable, Sendable {
  /// Whether it is `*`, which any value matches.
  package let isAny: Bool
  /// The tags, where it is not.
  package let tags: [EntityTag]

  /// Reads the values of all fields of the name.
  package static func parse(_ values: [String]) throws(HTTPSyntaxError) -> EntityTagList {
    let text = values.joined(separator: ",")
    if trimmed(text[...]) == "*" { return EntityTagList(isAny: true, tags: []) }
    var tags: [EntityTag] = []
    var rest = skippingSeparators(text[...])
    while !rest.isEmpty {
      let (tag, end) = try leadingTag(of: rest)
      tags.append(tag)
      rest = trimmed(rest[end...])
      guard rest.isEmpty || rest.first == "," else { throw malformed(rest) }
      rest = skippingSeparators(rest)
    }
    guard !tags.isEmpty else { throw .bad("a list without an entity tag") }
    return EntityTagList(isAny: false, tags: tags)
  }

  /// Reads a single tag, as If-Range has it.
  package static func parseTag(_ text: String) throws(HTTPSyntaxError) -> EntityTag {
    let (tag, end) = try leadingTag(of: text[...])
    guard end == text.endIndex else { throw malformed(text[end...]) }
    return tag
  }

  /// Empty elements are allowed between the others (RFC 9110 section 5.6.1.2).
  private static func skippingSeparators(_ text: Substring) -> Substring {
    text.drop { $0 == "," || $0 == " " || $0 == "\t" }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop { $0 == " " || $0 == "\t" }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return text
  }

  private static func leadingTag(of text: Substring) throws(HTTPSyntaxError) -> (EntityTag, end: Substring.Index) {
    // By bytes: characters are dear, and every answer of another node has a tag.
    let bytes = text.utf8
    let isWeak = bytes.starts(with: "W/".utf8)
    let quoted = isWeak ? bytes.dropFirst(2) : bytes
    let quote = UInt8(ascii: "\"")
    guard quoted.first == quote else { throw malformed(text) }
    let opaque = quoted.dropFirst()
    guard let end = opaque.firstIndex(of: quote) else { throw malformed(text) }
    guard opaque[..<end].allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw malformed(text) }
    return (EntityTag(opaque: Substring(opaque[..<end]), isWeak: isWeak), opaque.index(after: end))
  }

  private static func malformed(_ text: Substring) -> HTTPSyntaxError {
    .bad("\(HTTPSyntaxError.quote(Array(text.utf8).span)) is no entity tag")
  }
}
