/// One file in the syntax of systemd.syntax(7), read into section headers and assignments.
///
/// Lines end in LF, and a CR before it is dropped; a byte order mark at the start is skipped. Lines whose first
/// character is `#` or `;` are comments, also between continued lines. A line that ends in a backslash goes on in the
/// next one, and the backslash becomes a space. Text that is not UTF-8 and control characters are refused. systemd
/// skips a line that it does not understand; here it is an error.
struct SettingsFile {
  /// `Key=value` with the white space around both removed.
  struct Assignment: Sendable, Equatable {
    let file: String
    /// The line that the key stands on, counted from 1.
    let line: Int
    let key: String
    /// Empty where nothing follows the equals sign.
    let value: String
  }

  enum Item: Sendable, Equatable {
    case section(String, line: Int)
    case assignment(Assignment)
    case malformed(ConfigurationProblem)
  }

  /// The longest file, and so the longest line: systemd's limit for a line.
  static let bytesMax = 1 << 20

  /// The file's name as the caller gave it.
  let name: String
  /// What the file holds, in its order.
  private(set) var items: [Item] = []

  init(name: String, contents: [UInt8]) {
    self.name = name
    guard contents.count <= Self.bytesMax else {
      appendMalformed(line: nil, "\(contents.count) bytes long: expected at most \(Self.bytesMax) bytes")
      return
    }
    let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
    let text = contents.starts(with: byteOrderMark) ? contents.dropFirst(byteOrderMark.count) : contents[...]
    readLines(text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false))
  }

  private mutating func readLines(_ lines: [ArraySlice<UInt8>]) {
    var continued: (bytes: [UInt8], firstLine: Int)?
    for (index, lineBytes) in lines.enumerated() {
      let line = index + 1
      let bytes = lineBytes.last == UInt8(ascii: "\r") ? lineBytes.dropLast() : lineBytes
      guard isReadable(bytes, line: line), !Self.isComment(bytes) else { continue }
      var (joined, firstLine) = continued ?? ([], line)
      // Given up first, so that appending does not copy what was joined so far.
      continued = nil
      joined += bytes
      if Self.endsInContinuation(joined) {
        joined[joined.count - 1] = UInt8(ascii: " ")
        continued = (joined, firstLine)
      } else {
        readWhole(joined[...], line: firstLine)
      }
    }
    if let continued { readWhole(continued.bytes[...], line: continued.firstLine) }
  }

  /// Whether the line is text; where it is not, says so.
  private mutating func isReadable(_ bytes: ArraySlice<UInt8>, line: Int) -> Bool {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      appendMalformed(line: line, "bytes that are not text: expected UTF-8")
      return false
    }
    guard let control = text.unicodeScalars.first(where: Self.isControl) else { return true }
    let number = String(control.value, radix: 16, uppercase: true)
    appendMalformed(line: line, "a control character (hexadecimal \(number)): expected text")
    return false
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar != "\t" && scalar.properties.generalCategory == .control
  }

  private static func isComment(_ bytes: ArraySlice<UInt8>) -> Bool {
    let first = bytes.first { !isSpace($0) }
    return first == UInt8(ascii: "#") || first == UInt8(ascii: ";")
  }

  /// Whether the last backslash is not itself escaped by one before it.
  private static func endsInContinuation(_ bytes: [UInt8]) -> Bool {
    let backslashes = bytes.reversed().prefix { $0 == UInt8(ascii: "\\") }
    return !backslashes.count.isMultiple(of: 2)
  }

  /// Reads a line with its continuations.
  private mutating func readWhole(_ bytes: ArraySlice<UInt8>, line: Int) {
    let bytes = Self.trimmed(bytes)
    guard let first = bytes.first else { return }
    let text = ConfigurationProblem.shortened(Self.text(bytes))
    if first == UInt8(ascii: "[") {
      guard bytes.last == UInt8(ascii: "]"), bytes.count > 2 else {
        return appendMalformed(line: line, "\(text): expected a section such as [Node]")
      }
      items.append(.section(Self.text(bytes.dropFirst().dropLast()), line: line))
      return
    }
    guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")), equals > bytes.startIndex else {
      return appendMalformed(line: line, "\(text): expected Key=value, [Section] or a comment")
    }
    let key = Self.text(Self.trimmed(bytes[..<equals]))
    let value = Self.text(Self.trimmed(bytes[equals...].dropFirst()))
    items.append(.assignment(Assignment(file: name, line: line, key: key, value: value)))
  }

  private mutating func appendMalformed(line: Int?, _ message: String) {
    items.append(.malformed(ConfigurationProblem(file: name, line: line, message: message)))
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let last = bytes.lastIndex(where: { !isSpace($0) }) else { return [] }
    return bytes[...last].drop(while: isSpace)
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }
}
