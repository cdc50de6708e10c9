/// A span of time as it is written in the configuration: `500ms`, `90`, `1min 30s`.
///
/// The syntax is the part of systemd.time(7) that timeouts need: whole numbers, each with ms, s, sec, min or h,
/// added up; a number alone means seconds.
public struct TimeSpan: Sendable, Equatable {
  /// The sum, a whole number of milliseconds, 0 or more.
  public let duration: Duration

  /// Reads the sum; throws where the text is anything else or the span passes `Int.max` milliseconds.
  public init(parsing text: String) throws(SettingError) {
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
