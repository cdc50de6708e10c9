/// The field lines of a head, read and written (RFC 9112 section 5).
extension HTTPFields {
  /// Reads the lines that a scan has found; their CRLFs are known to be right.
  static func parse(_ bytes: Span<UInt8>, lines: HTTPHeadLines) throws(HTTPSyntaxError) -> HTTPFields {
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
  func encode(into output: inout [UInt8]) {
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
  func keepsConnectionAlive(in version: HTTPVersion) -> Bool {
    if contains(token: "close", in: "connection") { return false }
    return version == .http11 || contains(token: "keep-alive", in: "connection")
  }
}
