/// The value of If-Match or If-None-Match (RFC 9110 section 13.1): `*`, or entity tags separated by commas.
struct EntityTagList: Equatable, Sendable {
  private struct Tag: Equatable, Sendable {
    let opaque: Substring
    let isWeak: Bool
  }

  private let isAny: Bool
  private let tags: [Tag]

  /// Reads a list; what is no entity tag in it matches nothing.
  init(parsing text: String) {
    isAny = text == "*"
    var tags: [Tag] = []
    var rest = text[...]
    while let quote = rest.firstIndex(of: "\"") {
      let isWeak = rest[..<quote].hasSuffix("W/")
      let start = rest.index(after: quote)
      guard let end = rest[start...].firstIndex(of: "\"") else { break }
      tags.append(Tag(opaque: rest[start..<end], isWeak: isWeak))
      rest = rest[rest.index(after: end)...]
    }
    self.tags = tags
  }

  /// Whether the tag of what there is, or nothing, is in the list by the strong comparison (RFC 9110 section 8.8.3.2).
  func matchesStrongly(_ state: ValueState?) -> Bool {
    guard let state else { return false }
    return isAny || tags.contains { !$0.isWeak && $0.opaque == state.entityTag }
  }

  /// The same by the weak comparison.
  func matchesWeakly(_ state: ValueState?) -> Bool {
    guard let state else { return false }
    return isAny || tags.contains { $0.opaque == state.entityTag }
  }
}
