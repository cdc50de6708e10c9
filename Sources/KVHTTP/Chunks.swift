/// Knows where the bytes of a chunked body lie in a stream (RFC 9112 section 7.1); it moves none of them.
///
/// Show it what has arrived with `next`. When it says that chunk data follow, move them by whatever means and tell
/// it with `advance`. It keeps no bytes, so that everything it has taken can be forgotten. After an error the stream
/// is lost. Chunk extensions are ignored, trailer fields are checked and dropped.
package struct ChunkedDecoder: Equatable, Sendable {
  /// What to do next. The framing bytes are always the first of those shown, and done with.
  package enum Step: Equatable, Sendable {
    /// All bytes shown were framing; show more.
    case needMore(framingBytes: Int)
    /// After so many framing bytes, that many bytes of data follow, at least one.
    case data(framingBytes: Int, remainingBytes: Int)
    /// After so many framing bytes the body has ended; the next byte is another message's.
    case end(framingBytes: Int)
  }

  private enum State: Equatable {
    case size
    case extensionStart
    case extensionText
    case sizeLineFeed
    case data
    case dataCarriageReturn
    case dataLineFeed
    case trailerStart
    case trailerName
    case trailerValue
    case trailerLineFeed
    case lastLineFeed
    case ended
  }

  private static let sizeDigitsMax = 16

  private var state = State.size
  private var chunkBytes = 0
  private var sizeDigits = 0
  private var lineBytes = 0
  private var trailerBytes = 0
  private var trailerFields = 0

  /// A decoder that stands before the first chunk-size line.
  package init() {}

  /// Takes framing bytes until data follow, the body ends or all bytes shown are used up.
  package mutating func next(_ available: Span<UInt8>) throws(HTTPSyntaxError) -> Step {
    var index = 0
    while true {
      if state == .data { return .data(framingBytes: index, remainingBytes: chunkBytes) }
      if state == .ended { return .end(framingBytes: index) }
      guard index < available.count else { return .needMore(framingBytes: index) }
      try take(available[index])
      index += 1
    }
  }

  /// Says that so many bytes of chunk data have been moved; traps if that many did not follow.
  package mutating func advance(dataBytes: Int) {
    if dataBytes == 0 { return }
    precondition(state == .data && dataBytes > 0 && dataBytes <= chunkBytes, "moved bytes that are no chunk data")
    chunkBytes -= dataBytes
    if chunkBytes == 0 { state = .dataCarriageReturn }
  }

  private mutating func take(_ byte: UInt8) throws(HTTPSyntaxError) {
    switch state {
    case .size, .extensionStart, .extensionText, .sizeLineFeed:
      lineBytes += 1
      guard lineBytes <= HTTPHeadLimits.chunkLineBytesMax else {
        throw .bad("a chunk-size line is longer than \(HTTPHeadLimits.chunkLineBytesMax) bytes")
      }
      if state == .size { try takeSize(byte) } else { try takeExtension(byte) }
    case .dataCarriageReturn:
      guard byte == HTTPByte.carriageReturn else { throw .bad("no CRLF where the data of a chunk end") }
      state = .dataLineFeed
    case .dataLineFeed:
      guard byte == HTTPByte.lineFeed else { throw .bad("no CRLF where the data of a chunk end") }
      state = .size
    case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed, .lastLineFeed:
      trailerBytes += 1
      guard trailerBytes <= HTTPHeadLimits.headBytesMax else {
        throw .tooLarge("the trailers are longer than \(HTTPHeadLimits.headBytesMax) bytes")
      }
      try takeTrailer(byte)
    case .data, .ended:
      preconditionFailure("a byte of data is no framing")
    }
  }

  private mutating func takeSize(_ byte: UInt8) throws(HTTPSyntaxError) {
    if let digit = HTTPByte.hexadecimalValue(byte) {
      sizeDigits += 1
      guard sizeDigits <= Self.sizeDigitsMax, chunkBytes <= (HTTPHeadLimits.bodyBytesMax - Int(digit)) >> 4 else {
        throw .bad("a chunk size is too large")
      }
      chunkBytes = chunkBytes << 4 | Int(digit)
      return
    }
    guard sizeDigits > 0 else { throw .bad("a chunk begins with no hexadecimal size") }
    if byte == HTTPByte.carriageReturn {
      state = .sizeLineFeed
    } else {
      state = .extensionStart
      try takeExtension(byte)
    }
  }

  /// Between the size and the end of its line; blanks may stand before the semicolon only.
  private mutating func takeExtension(_ byte: UInt8) throws(HTTPSyntaxError) {
    if state == .sizeLineFeed {
      guard byte == HTTPByte.lineFeed else { throw .bad("a CR without LF in a chunk-size line") }
      endSizeLine()
    } else if state == .extensionText {
      if byte == HTTPByte.carriageReturn {
        state = .sizeLineFeed
      } else if !HTTPByte.isFieldValue(byte) {
        throw .bad("a control character in a chunk extension")
      }
    } else if byte == HTTPByte.semicolon {
      state = .extensionText
    } else if !HTTPByte.isBlank(byte) {
      throw .bad("neither CRLF nor an extension after a chunk size")
    }
  }

  private mutating func endSizeLine() {
    state = chunkBytes > 0 ? .data : .trailerStart
    sizeDigits = 0
    lineBytes = 0
  }

  private mutating func takeTrailer(_ byte: UInt8) throws(HTTPSyntaxError) {
    switch state {
    case .trailerStart where byte == HTTPByte.carriageReturn:
      state = .lastLineFeed
    case .trailerStart:
      trailerFields += 1
      guard trailerFields <= HTTPHeadLimits.fieldsMax else {
        throw .tooLarge("more than \(HTTPHeadLimits.fieldsMax) trailer fields")
      }
      guard HTTPByte.isToken(byte) else { throw .bad("a trailer field has no name") }
      state = .trailerName
    case .trailerName where byte == HTTPByte.colon:
      state = .trailerValue
    case .trailerName:
      guard HTTPByte.isToken(byte) else { throw .bad("the name of a trailer field is no token") }
    case .trailerValue where byte == HTTPByte.carriageReturn:
      state = .trailerLineFeed
    case .trailerValue:
      guard HTTPByte.isFieldValue(byte) else { throw .bad("a control character in the value of a trailer field") }
    default:
      guard byte == HTTPByte.lineFeed else { throw .bad("a CR without LF in the trailers") }
      state = state == .lastLineFeed ? .ended : .trailerStart
    }
  }
}

/// What stands around the data of chunks that we send (RFC 9112 section 7.1).
package enum ChunkHead {
  /// The CRLF after the data of every chunk.
  package static let chunkEnd: [UInt8] = Array("\r\n".utf8)

  /// The chunk of size zero and the end of a trailer section without fields: what ends a body.
  package static let lastChunk: [UInt8] = Array("0\r\n\r\n".utf8)

  /// The size line before so many bytes of data; traps unless there is at least one, for zero would end the body.
  package static func encoded(byteCount: Int) -> [UInt8] {
    precondition(byteCount > 0, "a chunk without data")
    return Array(String(byteCount, radix: 16).utf8) + chunkEnd
  }
}
