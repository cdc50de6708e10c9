import KVHTTP

/// Where a text stops being the JSON that was expected.
struct JSONReadingError: Error, Equatable, CustomStringConvertible {
  let offset: Int
  let expected: String

  var description: String { "byte \(offset) of its answer: expected \(expected)" }
}

/// Takes JSON (RFC 8259) apart from front to back, without building a tree of it.
struct JSONReader {
  /// How deep what is passed over may be nested.
  private static let depthMax = 32

  private let text: [UInt8]
  private var offset = 0

  init(_ text: [UInt8]) { self.text = text }

  /// Takes an object; `member` takes the value of each member, given its name.
  mutating func object(
    _ member: (String, inout JSONReader) throws(JSONReadingError) -> Void
  ) throws(JSONReadingError) {
    try take(UInt8(ascii: "{"))
    if takeIfNext(UInt8(ascii: "}")) { return }
    repeat {
      let name = String(decoding: try string(), as: UTF8.self)
      try take(UInt8(ascii: ":"))
      try member(name, &self)
    } while takeIfNext(UInt8(ascii: ","))
    try take(UInt8(ascii: "}"))
  }

  /// Takes an array; `element` takes each of its elements.
  mutating func array(_ element: (inout JSONReader) throws(JSONReadingError) -> Void) throws(JSONReadingError) {
    try take(UInt8(ascii: "["))
    if takeIfNext(UInt8(ascii: "]")) { return }
    repeat { try element(&self) } while takeIfNext(UInt8(ascii: ","))
    try take(UInt8(ascii: "]"))
  }

  /// Takes a string and gives its bytes.
  mutating func string() throws(JSONReadingError) -> [UInt8] {
    try take(UInt8(ascii: "\""))
    let start = offset
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { offset += 1 }
    // Nearly every string has no escape, and is copied as it stands.
    if next == UInt8(ascii: "\"") {
      offset += 1
      return Array(text[start..<(offset - 1)])
    }
    return try escapedString(Array(text[start..<offset]))
  }

  private mutating func escapedString(_ beginning: [UInt8]) throws(JSONReadingError) -> [UInt8] {
    var bytes = beginning
    while let byte = next, byte != UInt8(ascii: "\"") {
      guard byte >= 0x20 else { throw expected("no control character in a string") }
      offset += 1
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      bytes += Array(String(Character(try escapedScalar())).utf8)
    }
    try take(UInt8(ascii: "\""))
    return bytes
  }

  private mutating func escapedScalar() throws(JSONReadingError) -> Unicode.Scalar {
    guard let byte = next else { throw expected("the end of the string") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{08}"
    case UInt8(ascii: "f"): return "\u{0C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let first = try hexadecimal()
      if let scalar = Unicode.Scalar(first) { return scalar }
      try take(UInt8(ascii: "\\"))
      try take(UInt8(ascii: "u"))
      let second = try hexadecimal()
      guard (0xD800..<0xDC00).contains(first), (0xDC00..<0xE000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
      else { throw expected("both halves of a surrogate pair") }
      return scalar
    default: throw expected("one of \"\\/bfnrtu after a backslash")
    }
  }

  private mutating func hexadecimal() throws(JSONReadingError) -> UInt16 {
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

  /// Takes a whole number that is not negative.
  mutating func integer() throws(JSONReadingError) -> Int {
    skipBlanks()
    let start = offset
    while let byte = next, HTTPByte.isDigit(byte) { offset += 1 }
    guard let number = Int(String(decoding: text[start..<offset], as: UTF8.self)) else {
      throw expected("a whole number")
    }
    return number
  }

  /// Passes over a value of any kind.
  mutating func skip() throws(JSONReadingError) { try skip(depth: 0) }

  private mutating func skip(depth: Int) throws(JSONReadingError) {
    guard depth < Self.depthMax else { throw expected("values that are not nested so deep") }
    skipBlanks()
    switch next {
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "{"):
      try object { _, reader throws(JSONReadingError) in try reader.skip(depth: depth + 1) }
    case UInt8(ascii: "["): try array { reader throws(JSONReadingError) in try reader.skip(depth: depth + 1) }
    default:
      let start = offset
      while let byte = next, HTTPByte.isUnreserved(byte) || byte == UInt8(ascii: "+") { offset += 1 }
      guard offset > start else { throw expected("a value") }
    }
  }

  /// Fails unless nothing but white space is left.
  mutating func finish() throws(JSONReadingError) {
    skipBlanks()
    if next != nil { throw expected("nothing after it") }
  }

  /// An error at this place.
  func expected(_ what: String) -> JSONReadingError { JSONReadingError(offset: offset, expected: what) }

  private var next: UInt8? { offset < text.count ? text[offset] : nil }

  private mutating func skipBlanks() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
  }

  private mutating func take(_ byte: UInt8) throws(JSONReadingError) {
    guard takeIfNext(byte) else { throw expected("'\(Unicode.Scalar(byte))'") }
  }

  private mutating func takeIfNext(_ byte: UInt8) -> Bool {
    skipBlanks()
    guard next == byte else { return false }
    offset += 1
    return true
  }
}
