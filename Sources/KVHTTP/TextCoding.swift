/// Percent-encoding of the bytes of keys in paths (RFC 3986 section 2.1).
package enum PercentCoding {
  /// The bytes with every `%XX` replaced by the byte it stands for; all else stays, `+` too.
  ///
  /// A `%` without two hexadecimal digits is an error: guessing would give two keys one name.
  package static func decode(_ text: Span<UInt8>) throws(HTTPSyntaxError) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      guard text[index] == HTTPByte.percent else {
        bytes.append(text[index])
        index += 1
        continue
      }
      guard index + 2 < text.count, let high = HTTPByte.hexadecimalValue(text[index + 1]),
        let low = HTTPByte.hexadecimalValue(text[index + 2])
      else {
        let escape = text.extracting(index..<min(index + 3, text.count))
        throw .bad("\(HTTPSyntaxError.quote(escape)) in the path is no percent-encoded byte")
      }
      bytes.append(high << 4 | low)
      index += 3
    }
    return bytes
  }

  /// A key as it stands in a path, without the path's first slash: unreserved bytes and slashes stay, all others
  /// become `%XX` in upper case.
  ///
  /// The dots of a segment that is just `.` or `..` are written `%2E`, for many clients resolve such segments
  /// (RFC 3986 section 5.2.4) before they send a path.
  package static func encode(_ key: [UInt8]) -> [UInt8] {
    var path: [UInt8] = []
    path.reserveCapacity(key.count + key.count / 4)
    var segmentStart = 0
    while true {
      let segmentEnd = key[segmentStart...].firstIndex(of: HTTPByte.slash) ?? key.count
      appendSegment(key[segmentStart..<segmentEnd], to: &path)
      if segmentEnd == key.count { return path }
      path.append(HTTPByte.slash)
      segmentStart = segmentEnd + 1
    }
  }

  private static func appendSegment(_ segment: ArraySlice<UInt8>, to path: inout [UInt8]) {
    let isDotSegment = segment.count <= 2 && segment.allSatisfy { $0 == HTTPByte.dot }
    for byte in segment {
      if HTTPByte.isUnreserved(byte), !isDotSegment {
        path.append(byte)
      } else {
        path.append(HTTPByte.percent)
        path.append(Hexadecimal.digit(byte >> 4, ten: UInt8(ascii: "A")))
        path.append(Hexadecimal.digit(byte & 0x0F, ten: UInt8(ascii: "A")))
      }
    }
  }
}

/// Bytes as hexadecimal digits.
package enum Hexadecimal {
  /// Two digits a byte, in lower case.
  package static func digits(_ bytes: [UInt8]) -> String {
    var digits: [UInt8] = []
    digits.reserveCapacity(2 * bytes.count)
    for byte in bytes {
      digits.append(digit(byte >> 4))
      digits.append(digit(byte & 0x0F))
    }
    return String(decoding: digits, as: UTF8.self)
  }

  /// The bytes of digits in lower or upper case, or nil where the text has others, or an odd number.
  package static func bytes(_ digits: ArraySlice<UInt8>) -> [UInt8]? {
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: digits.startIndex, to: digits.endIndex, by: 2) {
      guard let high = HTTPByte.hexadecimalValue(digits[index]), let low = HTTPByte.hexadecimalValue(digits[index + 1])
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  fileprivate static func digit(_ value: UInt8, ten: UInt8 = UInt8(ascii: "a")) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : ten + value - 10
  }
}

/// Bytes from outside, made fit for a line that people read.
package enum PrintableText {
  /// Keeps well-formed UTF-8 and writes control characters, backslashes and malformed bytes as `\xNN`.
  package static func escape(_ bytes: [UInt8]) -> String {
    var text = ""
    var rest = bytes[...]
    while let first = rest.first {
      let scalar = leadingScalar(of: rest)
      if let scalar, isPrintable(scalar) {
        text.unicodeScalars.append(scalar)
        rest = rest.dropFirst(UTF8.width(scalar))
      } else {
        text += "\\x\(Hexadecimal.digits([first]))"
        rest = rest.dropFirst()
      }
    }
    return text
  }

  private static func leadingScalar(of bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
    var iterator = bytes.makeIterator()
    var decoder = UTF8()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
    return scalar
  }

  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return (0x20..<0x7F).contains(scalar.value) && scalar != "\\" }
    return switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse: false
    default: true
    }
  }
}

extension UTF8 {
  fileprivate static func width(_ scalar: Unicode.Scalar) -> Int { UTF8.encode(scalar)?.count ?? 1 }
}
