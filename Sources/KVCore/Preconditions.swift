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

  /// What If-Range names.
  private enum Validator: Equatable, Sendable {
    case tag(EntityTag)
    case date(HTTPDate)
  }

  /// What was said. Most requests say nothing, and all of them are passed from hand to hand: so it lies apart.
  private indirect enum Stated: Equatable, Sendable {
    case conditions(Conditions)
  }

  private struct Conditions: Equatable, Sendable {
    var ifMatch: EntityTagList?
    var ifNoneMatch: EntityTagList?
    var ifUnmodifiedSince: HTTPDate?
    var ifModifiedSince: HTTPDate?
    var ifRange: Validator?
    /// The fields as they were sent, for a relayed request.
    var fields = HTTPFields()

    mutating func take<Condition>(
      _ name: String, _ sent: HTTPFields, _ parse: ([String]) throws(HTTPSyntaxError) -> Condition
    ) throws(HTTPSyntaxError) -> Condition? {
      let values = sent.all(name)
      if values.isEmpty { return nil }
      for value in values { fields.append(name, value) }
      do throws(HTTPSyntaxError) { return try parse(values) } catch { throw .bad("\(name): \(error.reason)") }
    }
  }

  private var stated: Stated?

  /// No condition.
  package init() {}

  /// The conditions in a request's fields. One that cannot be read is an error, where RFC 9110 would have some ignored:
  /// whoever sends a condition does not want what it was to prevent.
  package init(_ fields: HTTPFields, now: HTTPDate) throws(HTTPSyntaxError) {
    var read = Conditions()
    read.ifMatch = try read.take("If-Match", fields, EntityTagList.parse)
    read.ifUnmodifiedSince = try read.take("If-Unmodified-Since", fields) { values throws(HTTPSyntaxError) in
      try Self.date(values, now)
    }
    read.ifNoneMatch = try read.take("If-None-Match", fields, EntityTagList.parse)
    read.ifModifiedSince = try read.take("If-Modified-Since", fields) { values throws(HTTPSyntaxError) in
      try Self.date(values, now)
    }
    read.ifRange = try read.take("If-Range", fields) { values throws(HTTPSyntaxError) in
      try Self.validator(values, now)
    }
    if !read.fields.isEmpty { stated = .conditions(read) }
  }

  /// Whether there is any condition.
  package var isEmpty: Bool { stated == nil }

  /// The conditions as fields, for a relayed request.
  package func append(to fields: inout HTTPFields) {
    guard case .conditions(let stated) = stated else { return }
    for field in stated.fields { fields.append(field.name, field.value) }
  }

  /// The conditions as lines of a head, for another node that decides.
  package var lines: [UInt8] {
    guard case .conditions(let stated) = stated else { return [] }
    var lines: [UInt8] = []
    stated.fields.encode(into: &lines)
    // Less the blank line that ends a head.
    return lines.dropLast(2)
  }

  /// Reads such lines.
  package init(lines: [UInt8], now: HTTPDate) throws(HTTPSyntaxError) {
    try self.init(lines.isEmpty ? [:] : try HTTPFields.parse(section: lines), now: now)
  }

  /// Whether to carry the request out on a key in that state, by the order of RFC 9110 section 13.2.2.
  package func evaluate(_ state: ValueState?, for operation: Operation) -> Outcome {
    guard case .conditions(let stated) = stated else { return .proceed }
    if let ifMatch = stated.ifMatch {
      if !ifMatch.matchesStrongly(state) { return .failed }
    } else if let ifUnmodifiedSince = stated.ifUnmodifiedSince, let state, ifUnmodifiedSince < state.modifiedAt {
      return .failed
    }
    let isRead = operation.isRead
    if let ifNoneMatch = stated.ifNoneMatch {
      if ifNoneMatch.matchesWeakly(state) { return isRead ? .notModified : .failed }
    } else if isRead, let ifModifiedSince = stated.ifModifiedSince, let state, state.modifiedAt <= ifModifiedSince {
      return .notModified
    }
    return .proceed
  }

  /// Whether a Range is to be heeded: If-Range, where given, must name the very value there is (RFC 9110 section
  /// 13.1.5). A date is none of a second that has not passed: the value could change in it once more.
  package func permitsRange(of state: ValueState, now: HTTPDate) -> Bool {
    guard case .conditions(let stated) = stated else { return true }
    return switch stated.ifRange {
    case nil: true
    case .tag(let tag): !tag.isWeak && state.isNamed(tag)
    case .date(let date): date == state.modifiedAt && state.modifiedAt < now
    }
  }

  private static func date(_ values: [String], _ now: HTTPDate) throws(HTTPSyntaxError) -> HTTPDate {
    guard values.count == 1, let date = HTTPDate.parse(values[0], now: now) else {
      throw .bad("\(HTTPSyntaxError.quote(values.joined(separator: ", ").utf8.span)) is no date")
    }
    return date
  }

  private static func validator(_ values: [String], _ now: HTTPDate) throws(HTTPSyntaxError) -> Validator {
    if values.count == 1, values[0].hasPrefix("\"") || values[0].hasPrefix("W/") {
      return .tag(try EntityTagList.parseTag(values[0]))
    }
    return .date(try date(values, now))
  }
}

/// What conditions are compared with.
package struct ValueState: Equatable, Sendable {
  /// The value's checksum; nil where none was recorded, and then no tag names the value.
  package let checksum: ValueChecksum?
  /// When the value was committed, to the second.
  package let modifiedAt: HTTPDate

  /// The state of a value.
  package init(checksum: ValueChecksum?, modifiedAt: HTTPDate) {
    self.checksum = checksum
    self.modifiedAt = modifiedAt
  }

  /// Whether a tag is the value's own, weak or not. Tags were the bare hex digits once, and clients may hold such.
  fileprivate func isNamed(_ tag: EntityTag) -> Bool {
    guard let checksum else { return false }
    return tag.opaque == checksum.entityTag || tag.opaque == checksum.description
  }
}

extension EntityTagList {
  /// Whether the tag of what there is, or nothing, is in the list by the strong comparison (RFC 9110 section 8.8.3.2).
  func matchesStrongly(_ state: ValueState?) -> Bool {
    guard let state else { return false }
    return isAny || tags.contains { !$0.isWeak && state.isNamed($0) }
  }

  /// The same by the weak comparison.
  func matchesWeakly(_ state: ValueState?) -> Bool {
    guard let state else { return false }
    return isAny || tags.contains { state.isNamed($0) }
  }
}
