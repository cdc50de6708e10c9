/// Under which conditions a request is to be carried out (RFC 9110 section 13), as the client's fields say it.
public struct Preconditions: Equatable, Sendable {
  /// What the conditions come to.
  public enum Outcome: Equatable, Sendable {
    case proceed
    /// The client has what it asks for: 304.
    case notModified
    /// 412.
    case failed
  }

  /// The fields that hold conditions, in the order they are looked at.
  static let fieldNames = ["If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since", "If-Range"]

  private let values: [String: String]

  /// No condition.
  public init() { values = [:] }

  /// The conditions in a request's fields.
  public init(_ fields: HTTPFields) {
    var values: [String: String] = [:]
    for name in Self.fieldNames where fields.contains(name) {
      // A list may be spread over several fields, and elements of it may be empty (RFC 9110 section 5.6.1).
      values[name] = fields.all(name).filter { !$0.isEmpty }.joined(separator: ", ")
    }
    self.values = values
  }

  /// Whether there is any condition.
  public var isEmpty: Bool { values.isEmpty }

  /// The conditions as fields, for a relayed request.
  func append(to fields: inout HTTPFields) {
    for name in Self.fieldNames {
      if let value = values[name] { fields.append(name, value) }
    }
  }

  /// Whether to carry the request out on a key in that state, by the order of RFC 9110 section 13.2.2.
  public func evaluate(_ state: ValueState?, for operation: Operation, now: HTTPDate) -> Outcome {
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
  public func permitsRange(of state: ValueState, now: HTTPDate) -> Bool {
    guard let value = values["If-Range"] else { return true }
    if value.contains("\"") { return EntityTagList(parsing: value).matchesStrongly(state) }
    return HTTPDate.parse(value, now: now) == state.modifiedAt
  }

  private func date(_ name: String, now: HTTPDate) -> HTTPDate? {
    values[name].flatMap { HTTPDate.parse($0, now: now) }
  }
}

/// What conditions are compared with.
public struct ValueState: Equatable, Sendable {
  /// The opaque part of the entity tag; nil for a value without a recorded checksum, which no tag matches.
  public let entityTag: Substring?
  /// When the value was committed, to the second.
  public let modifiedAt: HTTPDate

  /// The state of a value.
  public init(checksum: ValueChecksum?, modifiedAt: HTTPDate) {
    entityTag = checksum.map { $0.description[...] }
    self.modifiedAt = modifiedAt
  }
}
