/// The part of a value that a client asks for (RFC 9110 section 14.1.2).
package enum ByteRange: Equatable, Sendable {
  /// From the first offset to the last, both included, or to the end.
  case from(Int, to: Int?)
  /// The last so many bytes.
  case last(Int)

  /// Reads a Range field. Nil for another unit, several ranges or bad syntax: the whole value is then sent, as
  /// RFC 9110 section 14.2 allows.
  package init?(parsing text: String) {
    let unit = "bytes="
    guard text.prefix(unit.count).lowercased() == unit else { return nil }
    let bounds = text.dropFirst(unit.count).split(separator: "-", omittingEmptySubsequences: false)
    guard bounds.count == 2 else { return nil }
    switch (bounds[0].isEmpty, bounds[1].isEmpty) {
    case (false, true):
      guard let first = Int(decimalDigits: bounds[0]) else { return nil }
      self = .from(first, to: nil)
    case (false, false):
      guard let first = Int(decimalDigits: bounds[0]), let last = Int(decimalDigits: bounds[1]), first <= last else {
        return nil
      }
      self = .from(first, to: last)
    case (true, false):
      guard let count = Int(decimalDigits: bounds[1]) else { return nil }
      self = .last(count)
    case (true, true): return nil
    }
  }

  /// The offsets of a value of that size, or nil where no byte of it is asked for: 416.
  package func offsets(byteCount: Int) -> Range<Int>? {
    let start: Int
    var end = byteCount
    switch self {
    case .from(let first, let last):
      start = first
      if let last, last < byteCount - 1 { end = last + 1 }
    case .last(let count): start = max(byteCount - count, 0)
    }
    return start < end ? start..<end : nil
  }
}

/// The Content-Range of a partial value (RFC 9110 section 14.4).
package enum ContentRange {
  package static func format(_ range: Range<Int>, of byteCount: Int) -> String {
    "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(byteCount)"
  }

  package static func unsatisfied(byteCount: Int) -> String { "bytes */\(byteCount)" }

  /// The range and the size of the whole, or nil for anything but `bytes first-last/size`.
  package static func parse(_ text: String) -> (range: Range<Int>, byteCount: Int)? {
    guard text.hasPrefix("bytes ") else { return nil }
    let parts = text.dropFirst("bytes ".count).split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let byteCount = Int(decimalDigits: parts[1]) else { return nil }
    let bounds = parts[0].split(separator: "-", omittingEmptySubsequences: false)
    guard bounds.count == 2, let first = Int(decimalDigits: bounds[0]), let last = Int(decimalDigits: bounds[1]),
      first <= last, last < byteCount
    else { return nil }
    return (first..<(last + 1), byteCount)
  }

  /// The size in `bytes */size`.
  package static func parseUnsatisfied(_ text: String) -> Int? {
    guard text.hasPrefix("bytes */") else { return nil }
    return Int(decimalDigits: text.dropFirst("bytes */".count))
  }
}
