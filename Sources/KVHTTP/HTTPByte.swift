/// The classes of bytes that HTTP's grammar is made of (RFC 9110 section 5.6, RFC 9112 section 2).
package enum HTTPByte {
  package static let tab: UInt8 = 0x09
  package static let lineFeed: UInt8 = 0x0A
  package static let carriageReturn: UInt8 = 0x0D
  package static let space: UInt8 = 0x20
  package static let hash = UInt8(ascii: "#")
  package static let percent = UInt8(ascii: "%")
  package static let comma = UInt8(ascii: ",")
  package static let dot = UInt8(ascii: ".")
  package static let slash = UInt8(ascii: "/")
  package static let colon = UInt8(ascii: ":")
  package static let semicolon = UInt8(ascii: ";")
  package static let questionMark = UInt8(ascii: "?")
  package static let asterisk = UInt8(ascii: "*")

  /// `tchar`: letters, digits and ``!#$%&'*+-.^_`|~``; one bit for each of the first and second 64 bytes.
  package static func isToken(_ byte: UInt8) -> Bool {
    guard byte < 0x80 else { return false }
    let members: UInt64 = byte < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
    return members >> UInt64(byte & 63) & 1 == 1
  }

  /// `field-vchar`, SP or HTAB; any byte from 0x80 is `obs-text`.
  package static func isFieldValue(_ byte: UInt8) -> Bool { byte >= 0x20 ? byte != 0x7F : byte == tab }

  /// A byte that may stand in a request target. Bytes from 0x80 are no part of a URI, but clients send UTF-8
  /// unescaped, and it means nothing else.
  package static func isTarget(_ byte: UInt8) -> Bool { byte > 0x20 && byte != 0x7F && byte != hash }

  /// A byte of `uri-host [":" port]` (RFC 3986 section 3.2), its square brackets and percent signs included.
  package static func isHost(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "$")...UInt8(ascii: "."), UInt8(ascii: ";"), UInt8(ascii: "="): true
    case colon, UInt8(ascii: "["), UInt8(ascii: "]"): true
    default: isUnreserved(byte)
    }
  }

  /// `unreserved` of RFC 3986 section 2.3.
  package static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "-"), dot, UInt8(ascii: "_"), UInt8(ascii: "~"): true
    default: isDigit(byte)
    }
  }

  package static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  package static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  /// 0 to 15, or nil for a byte that is no hexadecimal digit.
  package static func hexadecimalValue(_ byte: UInt8) -> UInt8? {
    if isDigit(byte) { return byte - UInt8(ascii: "0") }
    let letter = lowercased(byte) &- UInt8(ascii: "a")
    return letter < 6 ? letter + 10 : nil
  }

  package static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
  }

  /// Whether two runs of bytes differ at most in the case of ASCII letters.
  package static func isEqualIgnoringCase(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    for index in left.indices where left[index] != right[index] {
      guard lowercased(left[index]) == lowercased(right[index]) else { return false }
    }
    return true
  }

  /// The range without the spaces and tabs at its ends (`OWS`).
  package static func trim(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, isBlank(bytes[start]) { start += 1 }
    while end > start, isBlank(bytes[end - 1]) { end -= 1 }
    return start..<end
  }
}

extension [UInt8] {
  /// The bytes of a span at a range, as an array of their own.
  package init(copying bytes: Span<UInt8>, _ range: Range<Int>) {
    self.init(capacity: range.count) { output in
      for index in range { output.append(bytes[index]) }
    }
  }
}

extension FixedWidthInteger {
  /// The number written by one or more ASCII digits and nothing else; `nil` for any other text and on overflow.
  ///
  /// The standard library's initializer also takes a sign, which none of our formats allows.
  package init?(decimalDigits text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
    self.init(text)
  }
}

extension UInt8 {
  /// Whether this byte is one of `0` to `9` in ASCII.
  package var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

  /// Whether this byte is one of `A` to `Z` and `a` to `z` in ASCII.
  package var isASCIILetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
}
