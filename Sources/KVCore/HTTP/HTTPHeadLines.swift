/// Where the lines of a complete head lie: the first look at the bytes, which decodes nothing.
struct HTTPHeadLines {
  /// The request or status line without its CRLF.
  let startLine: Range<Int>
  /// All field lines, each with its CRLF; empty where there are none.
  let fieldSection: Range<Int>
  /// How many lines the field section has.
  let fieldCount: Int
  /// The bytes of the head with everything around it: forgiven empty lines and the blank line.
  let byteCount: Int

  /// Finds the blank line, or nil while it has not come; every line must end in CRLF.
  ///
  /// A wrong line end is an error at once, so that who ends lines with LF alone is told so and not left waiting.
  static func scan(_ bytes: Span<UInt8>, emptyLinesMax: Int) throws(HTTPSyntaxError) -> HTTPHeadLines? {
    let limit = min(bytes.count, HTTPHeadLimits.headBytesMax)
    var startLine: Range<Int>?
    var lineStart = 0
    var emptyLineCount = 0
    var fieldCount = 0
    while let lineEnd = try endOfLine(in: bytes, from: lineStart, limit: limit) {
      let line = lineStart..<lineEnd
      lineStart = lineEnd + 2
      switch (startLine, line.isEmpty) {
      case (nil, true):
        emptyLineCount += 1
        guard emptyLineCount <= emptyLinesMax else { throw .bad("an empty line where a head should begin") }
      case (nil, false):
        startLine = line
      case (_?, false):
        fieldCount += 1
        guard fieldCount <= HTTPHeadLimits.fieldsMax else {
          throw .tooLarge("the head has more than \(HTTPHeadLimits.fieldsMax) fields")
        }
      case (let startLine?, true):
        return HTTPHeadLines(
          startLine: startLine, fieldSection: (startLine.upperBound + 2)..<line.lowerBound,
          fieldCount: fieldCount, byteCount: lineStart)
      }
    }
    guard bytes.count < HTTPHeadLimits.headBytesMax else {
      throw .tooLarge("the head is longer than \(HTTPHeadLimits.headBytesMax) bytes")
    }
    return nil
  }

  /// The index of the CR of the next CRLF, or nil if it does not lie before the limit.
  private static func endOfLine(
    in bytes: Span<UInt8>, from start: Int, limit: Int
  ) throws(HTTPSyntaxError) -> Int? {
    var index = start
    while index < limit {
      let byte = bytes[index]
      if byte <= HTTPByte.carriageReturn {
        if byte == HTTPByte.lineFeed { throw .bad("a line of the head ends in LF without CR") }
        if byte == HTTPByte.carriageReturn {
          guard index + 1 < limit else { return nil }
          guard bytes[index + 1] == HTTPByte.lineFeed else { throw .bad("a CR without LF in the head") }
          return index
        }
      }
      index += 1
    }
    return nil
  }
}
