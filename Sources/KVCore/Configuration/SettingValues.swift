import KVHTTP

/// A setting that is one of a few words.
package protocol WordSetting: RawRepresentable, CaseIterable where RawValue == String {}

extension WordSetting {
  /// Reads one of the words.
  package init(parsing text: String) throws(SettingError) {
    guard let value = Self(rawValue: text) else {
      throw SettingError(expected: Self.allCases.map(\.rawValue).joined(separator: " or "))
    }
    self = value
  }
}

/// A number of bytes as it is written in the configuration: `4096`, `128M`, `2 T`.
///
/// The suffixes K, M, G and T are powers of 1024, as in systemd.
package struct ByteSize: Sendable, Equatable {
  /// The size in bytes, 0 or more.
  package let bytes: Int

  /// Reads digits with an optional suffix; throws where the text is anything else or the size passes `Int.max`.
  package init(parsing text: String) throws(SettingError) {
    let digits = text.utf8.prefix(while: \.isASCIIDigit)
    let suffix = text.utf8[digits.endIndex...].drop(while: { $0 == UInt8(ascii: " ") })
    guard !digits.isEmpty, let unit = Self.unitBytes(suffix: String(Substring(suffix))) else {
      throw SettingError(expected: "a size such as 128M: a number of bytes, or a number and one of K, M, G, T")
    }
    guard let count = Int(decimalDigits: Substring(digits)) else { throw Self.overflow }
    let (bytes, overflowed) = count.multipliedReportingOverflow(by: unit)
    guard !overflowed else { throw Self.overflow }
    self.bytes = bytes
  }

  private static let overflow = SettingError(expected: "a size of at most \(Int.max) bytes")

  private static func unitBytes(suffix: String) -> Int? {
    switch suffix {
    case "": 1
    case "K": 1 << 10
    case "M": 1 << 20
    case "G": 1 << 30
    case "T": 1 << 40
    default: nil
    }
  }
}

/// A span of time as it is written in the configuration: `500ms`, `90`, `1min 30s`.
///
/// The syntax is the part of systemd.time(7) that timeouts need: whole numbers, each with ms, s, sec, min or h,
/// added up; a number alone means seconds.
package struct TimeSpan: Sendable, Equatable {
  /// The sum, a whole number of milliseconds, 0 or more.
  package let duration: Duration

  /// Reads the sum; throws where the text is anything else or the span passes `Int.max` milliseconds.
  package init(parsing text: String) throws(SettingError) {
    var milliseconds = 0
    var rest = text.utf8[...]
    repeat {
      let digits = rest.prefix(while: \.isASCIIDigit)
      rest = Self.droppingSpaces(rest[digits.endIndex...])
      let unit = rest.prefix(while: \.isASCIILetter)
      rest = Self.droppingSpaces(rest[unit.endIndex...])
      guard !digits.isEmpty, let factor = Self.unitMilliseconds(name: String(Substring(unit))) else {
        throw SettingError(expected: "a time span such as 10s or 1min 30s, in ms, s, min or h")
      }
      guard let count = Int(decimalDigits: Substring(digits)) else { throw Self.overflow }
      let (term, termOverflowed) = count.multipliedReportingOverflow(by: factor)
      let (sum, sumOverflowed) = milliseconds.addingReportingOverflow(term)
      guard !termOverflowed, !sumOverflowed else { throw Self.overflow }
      milliseconds = sum
    } while !rest.isEmpty
    duration = .milliseconds(milliseconds)
  }

  private static let overflow = SettingError(expected: "a time span of at most \(Int.max) milliseconds")

  private static func droppingSpaces(_ text: Substring.UTF8View) -> Substring.UTF8View {
    text.drop(while: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") })
  }

  private static func unitMilliseconds(name: String) -> Int? {
    switch name {
    case "ms": 1
    case "", "s", "sec": 1000
    case "min": 60_000
    case "h": 3_600_000
    default: nil
    }
  }
}

/// How much of the data filesystem stays free: a share of its size, or a number of bytes.
package enum FreeSpaceReserve: Sendable, Equatable {
  /// Ten-thousandths of the filesystem's size, 0 to 9999: 2 % is 200.
  case share(permyriad: Int)
  /// A number of bytes, 0 or more.
  case bytes(Int)

  /// Reads a percentage below 100 with at most two decimals (`2%`, `0.25%`) or a size (`10G`).
  package init(parsing text: String) throws(SettingError) {
    let expected = SettingError(expected: "a percentage such as 2% or a size such as 10G")
    guard text.utf8.last == UInt8(ascii: "%") else {
      guard text.utf8.first?.isASCIIDigit == true else { throw expected }
      self = .bytes(try ByteSize(parsing: text).bytes)
      return
    }
    let parts = text.dropLast().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let decimals = parts.count == 2 ? parts[1] : "0"
    guard let whole = Int(decimalDigits: parts[0]), let fraction = Int(decimalDigits: decimals),
      decimals.utf8.count <= 2
    else { throw expected }
    guard whole < 100 else { throw SettingError(expected: "a percentage below 100%") }
    self = .share(permyriad: whole * 100 + fraction * (decimals.utf8.count == 1 ? 10 : 1))
  }

  /// The reserve in bytes on a filesystem of `filesystemBytes` bytes, rounded down.
  package func bytes(filesystemBytes: Int) -> Int {
    switch self {
    case .bytes(let bytes):
      bytes
    case .share(let permyriad):
      // Divided before multiplied, so that no size of a filesystem overflows.
      filesystemBytes / 10_000 * permyriad + filesystemBytes % 10_000 * permyriad / 10_000
    }
  }
}

/// A setting that is on or off, as systemd writes it (systemd.syntax(7)).
enum Switch {
  /// Reads `yes`, `true`, `on`, `1`, or `no`, `false`, `off`, `0`.
  static func parse(_ text: String) throws(SettingError) -> Bool {
    switch text.lowercased() {
    case "yes", "true", "on", "1": return true
    case "no", "false", "off", "0": return false
    default: throw SettingError(expected: "yes or no")
    }
  }
}

/// The path of a directory as it is written in the configuration.
enum DirectoryPath {
  /// The longest path, in bytes. PATH_MAX is 4096, and the store appends to it.
  static let bytesMax = 1024

  /// The absolute path without doubled and trailing slashes. The root, `.` and `..` are refused.
  static func parse(_ text: String) throws(SettingError) -> String { try parse(text, example: "/var/lib/kvnode") }

  /// The same of a path of another kind.
  fileprivate static func parse(_ text: String, example: String) throws(SettingError) -> String {
    // By bytes, as the kernel does: a combining mark after a slash makes one character of both.
    let components = text.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    guard text.utf8.first == UInt8(ascii: "/"), !components.isEmpty, !components.contains("."),
      !components.contains("..")
    else {
      throw SettingError(expected: "an absolute path such as \(example), without . and ..")
    }
    guard text.utf8.count <= bytesMax else {
      throw SettingError(expected: "a path of at most \(bytesMax) bytes")
    }
    return "/" + components.joined(separator: "/")
  }
}

/// A file with something that nobody else may read.
enum CredentialPath {
  /// An absolute path, or a name without a slash: that of a credential which the service manager passes (systemd.exec(5)).
  static func parse(_ text: String) throws(SettingError) -> String {
    guard text.hasPrefix("/") else {
      do throws(SettingError) { return try NodeName.parse(text) } catch {
        throw SettingError(expected: "an absolute path such as /etc/kvnode/secret, or the name of a credential")
      }
    }
    return try DirectoryPath.parse(text, example: "/etc/kvnode/secret")
  }
}

/// A file with something that does not belong into the configuration itself.
enum FilePath {
  /// The absolute path, as of a directory.
  static func parse(_ text: String) throws(SettingError) -> String {
    try DirectoryPath.parse(text, example: "/etc/kvnode/tokens")
  }
}
