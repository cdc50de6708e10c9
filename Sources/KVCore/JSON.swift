import KVHTTP

/// A JSON object as it is written (RFC 8259): members under names, in order.
package struct JSONObject: Sendable, CustomStringConvertible {
  private var text = "{"

  /// An object without members.
  package init() {}

  /// Adds a string.
  package mutating func add(_ name: String, _ value: String) { member(name, JSONText.quoted(value)) }

  /// Adds an integer.
  package mutating func add(_ name: String, _ value: Int) { member(name, "\(value)") }

  /// Adds a truth value.
  package mutating func add(_ name: String, _ value: Bool) { member(name, "\(value)") }

  /// Adds an object, which need not be flat.
  package mutating func add(_ name: String, _ value: JSONObject) { member(name, value.description) }

  /// Adds an array of objects.
  package mutating func add(_ name: String, _ values: [JSONObject]) {
    member(name, "[\(values.map(\.description).joined(separator: ","))]")
  }

  /// Adds an array of strings.
  package mutating func add(_ name: String, _ values: [String]) {
    member(name, "[\(values.map(JSONText.quoted).joined(separator: ","))]")
  }

  /// The object as text.
  package var description: String { "\(text)}" }

  /// The object in UTF-8.
  package var bytes: [UInt8] { Array(description.utf8) }

  private mutating func member(_ name: String, _ value: String) {
    if text != "{" { text += "," }
    text += "\(JSONText.quoted(name)):\(value)"
  }
}

/// How text is written in JSON (RFC 8259 section 7).
package enum JSONText {
  /// The text as a JSON string, its quotes included; only what must be escaped is.
  package static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

/// A JSON object (RFC 8259) whose members are strings and whole numbers and nothing else, such as a node's status.
package struct FlatJSONObject: Equatable, Sendable {
  /// What a member may be.
  package enum Value: Equatable, Sendable {
    case string(String)
    case integer(Int)
  }

  /// The most members, so that nobody makes us hold more.
  package static let membersMax = 256

  private var members: [String: Value] = [:]

  /// Reads a text that holds one such object and no more than white space around it.
  ///
  /// Nested values, fractions, exponents, `true`, `false` and `null` are refused, and so is a name that comes twice:
  /// readers differ in which of the two they take.
  package init(parsing text: [UInt8]) throws(FlatJSONError) {
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
  package subscript(name: String) -> Value? { members[name] }

  /// The member of that name if it is a string.
  package func string(_ name: String) -> String? {
    if case .string(let text) = members[name] { text } else { nil }
  }

  /// The member of that name if it is a number.
  package func integer(_ name: String) -> Int? {
    if case .integer(let number) = members[name] { number } else { nil }
  }
}

/// Where a text stops being a flat JSON object.
package struct FlatJSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The offset of the byte that is wrong.
  package let offset: Int
  /// What should have been there.
  package let expected: String

  /// The offset and what was expected.
  package var description: String { "byte \(offset): expected \(expected)" }
}

/// Takes a flat JSON object apart, from its first byte to its last.
struct FlatJSONReader {
  private let text: [UInt8]
  /// The offset of the next byte.
  private(set) var offset = 0

  init(_ text: [UInt8]) { self.text = text }

  /// Takes this byte, after any white space.
  mutating func take(_ byte: UInt8) throws(FlatJSONError) {
    guard takeIfNext(byte) else { throw expected("'\(Unicode.Scalar(byte))'") }
  }

  /// Takes this byte, after any white space, if it is the next one.
  mutating func takeIfNext(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard next == byte else { return false }
    offset += 1
    return true
  }

  /// Fails unless nothing but white space is left.
  mutating func finish() throws(FlatJSONError) {
    skipBlanks()
    if next != nil { throw expected("nothing after the object") }
  }

  mutating func takeValue() throws(FlatJSONError) -> FlatJSONObject.Value {
    skipBlanks()
    return next == UInt8(ascii: "\"") ? .string(try takeString()) : .integer(try takeInteger())
  }

  mutating func takeString() throws(FlatJSONError) -> String {
    try take(UInt8(ascii: "\""))
    let start = offset
    var bytes: [UInt8] = []
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw expected("no control character in a string") }
      offset += 1
      if byte == UInt8(ascii: "\\") {
        bytes += Array(String(Character(try takeEscaped())).utf8)
      } else {
        bytes.append(byte)
      }
    }
    guard takeIfNext(UInt8(ascii: "\"")) else { throw expected("the end of the string") }
    guard let string = String(validating: bytes, as: UTF8.self) else {
      throw FlatJSONError(offset: start, expected: "a string in UTF-8")
    }
    return string
  }

  private mutating func takeInteger() throws(FlatJSONError) -> Int {
    let start = offset
    if next == UInt8(ascii: "-") { offset += 1 }
    let digitsStart = offset
    while let byte = next, HTTPByte.isDigit(byte) { offset += 1 }
    let hasLeadingZero = offset - digitsStart > 1 && text[digitsStart] == UInt8(ascii: "0")
    guard !hasLeadingZero, let number = Int(String(decoding: text[start..<offset], as: UTF8.self)) else {
      throw FlatJSONError(offset: start, expected: "a string or a whole number of at most 64 bits")
    }
    // A fraction or an exponent: to leave it out would give another number.
    if let byte = next, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(byte) {
      throw expected("a whole number")
    }
    return number
  }

  /// What follows a backslash in a string (RFC 8259 section 7).
  private mutating func takeEscaped() throws(FlatJSONError) -> Unicode.Scalar {
    guard let byte = next else { throw expected("the end of the string") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{08}"
    case UInt8(ascii: "f"): return "\u{0C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try takeUnicode()
    default: throw FlatJSONError(offset: offset - 1, expected: "one of \"\\/bfnrtu after a backslash")
    }
  }

  /// The scalar of `\uXXXX`, or of two such that are a surrogate pair.
  private mutating func takeUnicode() throws(FlatJSONError) -> Unicode.Scalar {
    let start = offset
    let first = try takeHexadecimal()
    if let scalar = Unicode.Scalar(first) { return scalar }
    let lone = FlatJSONError(offset: start, expected: "both halves of a surrogate pair")
    guard first < 0xDC00, next == UInt8(ascii: "\\") else { throw lone }
    offset += 1
    guard next == UInt8(ascii: "u") else { throw lone }
    offset += 1
    let second = try takeHexadecimal()
    guard (0xDC00...0xDFFF).contains(second) else { throw lone }
    let value = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
    guard let scalar = Unicode.Scalar(value) else { throw lone }
    return scalar
  }

  private mutating func takeHexadecimal() throws(FlatJSONError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = HTTPByte.hexadecimalValue(byte) else {
        throw expected("four hexadecimal digits")
      }
      value = value << 4 | UInt16(digit)
      offset += 1
    }
    return value
  }

  private var next: UInt8? { offset < text.count ? text[offset] : nil }

  private mutating func skipBlanks() {
    while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { offset += 1 }
  }

  private func expected(_ expected: String) -> FlatJSONError { FlatJSONError(offset: offset, expected: expected) }
}
