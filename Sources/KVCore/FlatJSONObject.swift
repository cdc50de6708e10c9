/// A JSON object (RFC 8259) whose members are strings and whole numbers and nothing else, such as a node's status.
public struct FlatJSONObject: Equatable, Sendable {
  /// What a member may be.
  public enum Value: Equatable, Sendable {
    case string(String)
    case integer(Int)
  }

  /// The most members, so that nobody makes us hold more.
  public static let membersMax = 256

  private var members: [String: Value] = [:]

  /// Reads a text that holds one such object and no more than white space around it.
  ///
  /// Nested values, fractions, exponents, `true`, `false` and `null` are refused, and so is a name that comes twice:
  /// readers differ in which of the two they take.
  public init(parsing text: [UInt8]) throws(FlatJSONError) {
    var reader = FlatJSONReader(text)
    try reader.take(UInt8(ascii: "{"))
    if reader.takeIfNext(UInt8(ascii: "}")) {
      try reader.finish()
      return
    }
    repeat {
      let start = reader.offset
      let name = try reader.takeString()
      try reader.take(UInt8(ascii: ":"))
      let value = try reader.takeValue()
      guard members.updateValue(value, forKey: name) == nil else {
        throw FlatJSONError(offset: start, expected: "a name that has not come before")
      }
      guard members.count <= Self.membersMax else {
        throw FlatJSONError(offset: start, expected: "at most \(Self.membersMax) members")
      }
    } while reader.takeIfNext(UInt8(ascii: ","))
    try reader.take(UInt8(ascii: "}"))
    try reader.finish()
  }

  /// The member of that name, or nil.
  public subscript(name: String) -> Value? { members[name] }

  /// The member of that name if it is a string.
  public func string(_ name: String) -> String? {
    if case .string(let text) = members[name] { text } else { nil }
  }

  /// The member of that name if it is a number.
  public func integer(_ name: String) -> Int? {
    if case .integer(let number) = members[name] { number } else { nil }
  }
}

/// Where a text stops being a flat JSON object.
public struct FlatJSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The offset of the byte that is wrong.
  public let offset: Int
  /// What should have been there.
  public let expected: String

  /// The offset and what was expected.
  public var description: String { "byte \(offset): expected \(expected)" }
}
