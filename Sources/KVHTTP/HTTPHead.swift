/// Where the lines of a complete head lie: the first look at the bytes, which decodes nothing.
package struct HTTPHeadLines {
  /// The request or status line without its CRLF.
  package let startLine: Range<Int>
  /// All field lines, each with its CRLF; empty where there are none.
  package let fieldSection: Range<Int>
  /// How many lines the field section has.
  package let fieldCount: Int
  /// The bytes of the head with the blank line.
  package let byteCount: Int

  /// Finds the blank line, or nil while it has not come; every line must end in CRLF.
  ///
  /// A wrong line end is an error at once, so that who ends lines with LF alone is told so and not left waiting.
  package static func scan(
    _ bytes: Span<UInt8>, limits: HTTPHeadLimits = .ofClients
  ) throws(HTTPSyntaxError) -> HTTPHeadLines? {
    let limit = min(bytes.count, limits.bytesMax)
    var startLine: Range<Int>?
    var lineStart = 0
    var fieldCount = 0
    while let lineEnd = try endOfLine(in: bytes, from: lineStart, limit: limit) {
      let line = lineStart..<lineEnd
      lineStart = lineEnd + 2
      switch (startLine, line.isEmpty) {
      case (nil, true):
        throw .bad("an empty line where a head should begin")
      case (nil, false):
        startLine = line
      case (_?, false):
        fieldCount += 1
        guard fieldCount <= limits.fieldsMax else {
          throw .tooLarge("the head has more than \(limits.fieldsMax) fields")
        }
      case (let startLine?, true):
        return HTTPHeadLines(
          startLine: startLine, fieldSection: (startLine.upperBound + 2)..<line.lowerBound,
          fieldCount: fieldCount, byteCount: lineStart)
      }
    }
    guard bytes.count < limits.bytesMax else {
      throw .tooLarge("the head is longer than \(limits.bytesMax) bytes")
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

/// What a peer may make us hold or count before we give up on it.
package struct HTTPHeadLimits: Sendable {
  /// How long a head may be.
  package let bytesMax: Int
  /// How many fields it may have.
  package let fieldsMax: Int

  /// What clients are held to.
  package static let ofClients = HTTPHeadLimits(bytesMax: headBytesMax, fieldsMax: fieldsMax)

  /// What a head may have that was taken from a client within its limits and sent on: a few fields more, and a key that is
  /// written longer than the client wrote it.
  package static let ofRelays = HTTPHeadLimits(bytesMax: headBytesMax + 6144, fieldsMax: fieldsMax + 16)

  /// The longest head in bytes, from its first byte through the blank line; also the longest trailer section.
  package static let headBytesMax = 16_384

  /// The most fields in one head or one trailer section.
  package static let fieldsMax = 100

  /// How many empty lines before a request line are forgiven (RFC 9112 section 2.2).
  package static let emptyLinesMax = 2

  /// The longest chunk-size line in bytes, extensions and CRLF included.
  package static let chunkLineBytesMax = 256

  /// The longest body, or chunk, that a peer may announce: 1 EiB.
  ///
  /// No filesystem of ours holds more, and adding a few such numbers cannot overflow an `Int`.
  package static let bodyBytesMax = 1 << 60
}

/// What a look at the bytes received so far gave.
package enum HTTPParsed<Head: Sendable & Equatable>: Sendable, Equatable {
  /// The blank line has not come: read on, and parse again from the same first byte.
  case needMore
  /// The head, and how many bytes it took; the byte after them is the body's or the next message's.
  case head(Head, byteCount: Int)
}

/// The versions of HTTP that have this message syntax (RFC 9112 section 2.3).
package enum HTTPVersion: String, Equatable, Sendable {
  case http10 = "HTTP/1.0"
  case http11 = "HTTP/1.1"

  /// Reads exactly `HTTP/1.0` or `HTTP/1.1`; the case of the letters counts.
  package static func parse(_ bytes: Span<UInt8>) throws(HTTPSyntaxError) -> HTTPVersion {
    if matches(bytes, HTTPVersion.http11) { return .http11 }
    if matches(bytes, HTTPVersion.http10) { return .http10 }
    if hasVersionShape(bytes) {
      throw .unsupportedVersion("\(HTTPSyntaxError.quote(bytes)) is not served, only HTTP/1.0 and HTTP/1.1")
    }
    throw .bad("\(HTTPSyntaxError.quote(bytes)) is no HTTP version")
  }

  private static func matches(_ bytes: Span<UInt8>, _ version: HTTPVersion) -> Bool {
    bytes.count == 8 && hasVersionShape(bytes) && bytes[5] == UInt8(ascii: "1")
      && bytes[7] == (version == .http11 ? UInt8(ascii: "1") : UInt8(ascii: "0"))
  }

  private static func hasVersionShape(_ bytes: Span<UInt8>) -> Bool {
    bytes.count == 8 && bytes[0] == UInt8(ascii: "H") && bytes[1] == UInt8(ascii: "T")
      && bytes[2] == UInt8(ascii: "T") && bytes[3] == UInt8(ascii: "P") && bytes[4] == HTTPByte.slash
      && HTTPByte.isDigit(bytes[5]) && bytes[6] == HTTPByte.dot && HTTPByte.isDigit(bytes[7])
  }
}
