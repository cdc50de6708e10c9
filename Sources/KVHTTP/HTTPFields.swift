/// One field of a head: its name as written and its value without the blanks around it.
package struct HTTPField: Equatable, Sendable {
  /// A token (RFC 9110 section 5.6.2), in the case it was written in.
  package let name: String
  /// The value; each byte of it is one scalar, U+0000 to U+00FF.
  package let value: String
}

/// The fields of a head, in order, with repeated names kept apart (RFC 9110 section 5).
///
/// They stay bytes, and become strings only when one is asked for: most fields of a request are never looked at.
/// Bytes outside ASCII are opaque to HTTP (RFC 9110 section 5.5). They are kept, and a string shows each as the
/// scalar of the same number, which is ISO 8859-1 and loses nothing: appended to other fields, it gives the same bytes.
package struct HTTPFields: Sendable {
  package struct Entry: Sendable {
    package let name: Range<Int>
    package let value: Range<Int>
  }

  private(set) var bytes: [UInt8]
  private(set) var entries: [Entry]

  /// No fields.
  package init() {
    bytes = []
    entries = []
  }

  /// Fields whose names and values have been checked; the ranges are of `bytes`.
  package init(bytes: [UInt8], entries: [Entry]) {
    self.bytes = bytes
    self.entries = entries
  }

  /// Adds a field of our own at the end.
  ///
  /// Traps if the name is no token, or if the value holds a control character, a scalar past U+00FF or a blank at
  /// either end: what comes from outside has been checked before it gets here.
  package mutating func append(_ name: String, _ value: String) {
    let nameStart = bytes.count
    bytes.append(contentsOf: name.utf8)
    let valueStart = bytes.count
    appendValue(value)
    let entry = Entry(name: nameStart..<valueStart, value: valueStart..<bytes.count)
    precondition(!name.isEmpty && name.utf8.allSatisfy(HTTPByte.isToken), "the name of a field is no token")
    precondition(HTTPByte.trim(bytes.span, entry.value) == entry.value, "the value of a field has blanks around it")
    entries.append(entry)
  }

  private mutating func appendValue(_ value: String) {
    let utf8 = value.utf8
    bytes.reserveCapacity(bytes.count + utf8.count)
    if utf8.allSatisfy({ $0 < 0x80 && HTTPByte.isFieldValue($0) }) { return bytes.append(contentsOf: utf8) }
    for scalar in value.unicodeScalars {
      guard let byte = UInt8(exactly: scalar.value), HTTPByte.isFieldValue(byte) else {
        preconditionFailure("the value of a field has a scalar that cannot be sent")
      }
      bytes.append(byte)
    }
  }

  /// The value of the first field of this name, in whatever case, or nil.
  package subscript(_ name: String) -> String? {
    guard let index = firstIndex(named: name) else { return nil }
    return text(entries[index].value)
  }

  /// The values of all fields of this name, in order.
  package func all(_ name: String) -> [String] {
    var values: [String] = []
    var start = 0
    while let index = firstIndex(named: name, from: start) {
      values.append(text(entries[index].value))
      start = index + 1
    }
    return values
  }

  /// Whether there is a field of this name.
  package func contains(_ name: String) -> Bool { firstIndex(named: name) != nil }

  /// Whether a comma-separated list, which may go on over several fields, holds a token in whatever case
  /// (RFC 9110 section 5.6.1), as `Connection: keep-alive, TE` does.
  package func contains(token: String, in name: String) -> Bool {
    var start = 0
    while let index = firstIndex(named: name, from: start) {
      if listContains(token, in: entries[index].value) { return true }
      start = index + 1
    }
    return false
  }

  /// The index of the next field of this name, or nil.
  package func firstIndex(named name: String, from start: Int = 0) -> Int? {
    let wanted = name.utf8.span
    let all = bytes.span
    for index in start..<entries.count
    where entries[index].name.count == wanted.count
      && HTTPByte.isEqualIgnoringCase(all.extracting(entries[index].name), wanted)
    {
      return index
    }
    return nil
  }

  private func listContains(_ token: String, in list: Range<Int>) -> Bool {
    let wanted = token.utf8.span
    let all = bytes.span
    var start = list.lowerBound
    while start <= list.upperBound {
      var end = start
      while end < list.upperBound, all[end] != HTTPByte.comma { end += 1 }
      let element = HTTPByte.trim(all, start..<end)
      if HTTPByte.isEqualIgnoringCase(all.extracting(element), wanted) { return true }
      start = end + 1
    }
    return false
  }

  private func text(_ range: Range<Int>) -> String {
    let part = bytes[range]
    if part.allSatisfy({ $0 < 0x80 }) { return String(decoding: part, as: UTF8.self) }
    var text = ""
    for byte in part { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    return text
  }
}

extension HTTPFields: RandomAccessCollection {
  /// The position of the first field.
  package var startIndex: Int { 0 }
  /// The position after the last field.
  package var endIndex: Int { entries.count }
  /// The field at a position.
  package subscript(position: Int) -> HTTPField {
    HTTPField(name: text(entries[position].name), value: text(entries[position].value))
  }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
  /// Fields of our own in the order written; traps as `append` does.
  package init(dictionaryLiteral elements: (String, String)...) {
    self.init()
    for (name, value) in elements { append(name, value) }
  }
}

extension HTTPFields: Equatable {
  /// The same names, in whatever case, with the same values in the same order.
  package static func == (left: HTTPFields, right: HTTPFields) -> Bool {
    guard left.count == right.count else { return false }
    return left.entries.indices.allSatisfy { index in
      let (leftEntry, rightEntry) = (left.entries[index], right.entries[index])
      return left.bytes[leftEntry.value] == right.bytes[rightEntry.value]
        && HTTPByte.isEqualIgnoringCase(
          left.bytes.span.extracting(leftEntry.name), right.bytes.span.extracting(rightEntry.name))
    }
  }
}

/// The field lines of a head, read and written (RFC 9112 section 5).
extension HTTPFields {
  /// Reads the lines that a scan has found; their CRLFs are known to be right.
  package static func parse(_ bytes: Span<UInt8>, lines: HTTPHeadLines) throws(HTTPSyntaxError) -> HTTPFields {
    let section = bytes.extracting(lines.fieldSection)
    var entries: [Entry] = []
    entries.reserveCapacity(lines.fieldCount)
    var lineStart = 0
    while lineStart < section.count {
      let nameEnd = try endOfName(in: section, from: lineStart)
      let lineEnd = try endOfValue(in: section, from: nameEnd + 1)
      let value = HTTPByte.trim(section, (nameEnd + 1)..<lineEnd)
      entries.append(Entry(name: lineStart..<nameEnd, value: value))
      lineStart = lineEnd + 2
    }
    return HTTPFields(bytes: [UInt8](copying: section, 0..<section.count), entries: entries)
  }

  /// Reads field lines alone, each with its CRLF.
  package static func parse(section: [UInt8]) throws(HTTPSyntaxError) -> HTTPFields {
    let head = Array("-\r\n".utf8) + section + [HTTPByte.carriageReturn, HTTPByte.lineFeed]
    guard let lines = try HTTPHeadLines.scan(head.span), lines.byteCount == head.count else {
      throw .bad("the field lines have no end, or one in their midst")
    }
    return try parse(head.span, lines: lines)
  }

  /// The index of the colon. A blank before it would let two readers see two names (RFC 9112 section 5.1).
  private static func endOfName(in section: Span<UInt8>, from start: Int) throws(HTTPSyntaxError) -> Int {
    var index = start
    while HTTPByte.isToken(section[index]) { index += 1 }
    let byte = section[index]
    if byte == HTTPByte.colon, index > start { return index }
    if index == start, HTTPByte.isBlank(byte) {
      throw .bad("a field is folded over two lines, or begins with a blank")
    }
    if byte == HTTPByte.colon { throw .bad("a field has no name before its colon") }
    let name = HTTPSyntaxError.quote(section.extracting(start..<index))
    if HTTPByte.isBlank(byte) { throw .bad("a blank after the field name \(name)") }
    if byte == HTTPByte.carriageReturn { throw .bad("a field line without a colon: \(name)") }
    let wrong = HTTPSyntaxError.quote(section.extracting(index..<(index + 1)))
    throw .bad("the byte \(wrong) in a field name, after \(name)")
  }

  /// The index of the CR that ends the line.
  private static func endOfValue(in section: Span<UInt8>, from start: Int) throws(HTTPSyntaxError) -> Int {
    var index = start
    while HTTPByte.isFieldValue(section[index]) { index += 1 }
    guard section[index] == HTTPByte.carriageReturn else {
      let wrong = HTTPSyntaxError.quote(section.extracting(index..<(index + 1)))
      throw .bad("the control character \(wrong) in the value of a field")
    }
    return index
  }

  /// Writes the fields and the blank line that ends a head.
  package func encode(into output: inout [UInt8]) {
    output.reserveCapacity(output.count + bytes.count + 4 * entries.count + 2)
    for entry in entries {
      output.append(contentsOf: bytes[entry.name])
      output.append(HTTPByte.colon)
      output.append(HTTPByte.space)
      output.append(contentsOf: bytes[entry.value])
      output.append(HTTPByte.carriageReturn)
      output.append(HTTPByte.lineFeed)
    }
    output.append(HTTPByte.carriageReturn)
    output.append(HTTPByte.lineFeed)
  }

  /// Whether the connection stays open after the message (RFC 9112 section 9.3).
  package func keepsConnectionAlive(in version: HTTPVersion) -> Bool {
    if contains(token: "close", in: "connection") { return false }
    return version == .http11 || contains(token: "keep-alive", in: "connection")
  }
}
