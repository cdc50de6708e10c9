import KVHTTP

/// Under which conditions a request is to be carried out (RFC 9110 section 13), as the client's fields say it.
package struct Preconditions: Equatable, Sendable {
  /// What the conditions come to.
  package enum Outcome: Equatable, Sendable {
    case proceed
    /// The client has what it asks for: 304.
    case notModified
    /// 412.
    case failed
  }

  /// The fields that hold conditions, in the order they are looked at.
  package static let fieldNames = ["If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since", "If-Range"]

  private let values: [String: String]

  /// No condition.
  package init() { values = [:] }

  /// The conditions in a request's fields.
  package init(_ fields: HTTPFields) {
    var values: [String: String] = [:]
    for name in Self.fieldNames where fields.contains(name) {
      // A list may be spread over several fields, and elements of it may be empty (RFC 9110 section 5.6.1).
      values[name] = fields.all(name).filter { !$0.isEmpty }.joined(separator: ", ")
    }
    self.values = values
  }

  /// Whether there is any condition.
  package var isEmpty: Bool { values.isEmpty }

  /// The conditions as fields, for a relayed request.
  package func append(to fields: inout HTTPFields) {
    for name in Self.fieldNames {
      if let value = values[name] { fields.append(name, value) }
    }
  }

  /// Whether to carry the request out on a key in that state, by the order of RFC 9110 section 13.2.2.
  package func evaluate(_ state: ValueState?, for operation: Operation, now: HTTPDate) -> Outcome {
    if let list = values["If-Match"] {
      if !EntityTagList(parsing: list).matchesStrongly(state) { return .failed }
    } else if let date = date("If-Unmodified-Since", now: now), let state, date < state.modifiedAt {
      return .failed
    }
    let isRead = operation == .get || operation == .head
    if let list = values["If-None-Match"] {
      if EntityTagList(parsing: list).matchesWeakly(state) { return isRead ? .notModified : .failed }
    } else if isRead, let date = date("If-Modified-Since", now: now), let state, state.modifiedAt <= date {
      return .notModified
    }
    return .proceed
  }

  /// Whether a Range is to be heeded: If-Range, where given, must name the very value there is (RFC 9110 section 13.1.5).
  package func permitsRange(of state: ValueState, now: HTTPDate) -> Bool {
    guard let value = values["If-Range"] else { return true }
    if value.contains("\"") { return EntityTagList(parsing: value).matchesStrongly(state) }
    return HTTPDate.parse(value, now: now) == state.modifiedAt
  }

  private func date(_ name: String, now: HTTPDate) -> HTTPDate? {
    values[name].flatMap { HTTPDate.parse($0, now: now) }
  }
}

/// What conditions are compared with.
package struct ValueState: Equatable, Sendable {
  /// The opaque part of the entity tag; nil for a value without a recorded checksum, which no tag matches.
  package let entityTag: Substring?
  /// When the value was committed, to the second.
  package let modifiedAt: HTTPDate

  /// The state of a value.
  package init(checksum: ValueChecksum?, modifiedAt: HTTPDate) {
    entityTag = checksum.map { $0.description[...] }
    self.modifiedAt = modifiedAt
  }
}

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
