/// A number of bytes as it is written in the configuration: `4096`, `128M`, `2 T`.
///
/// The suffixes K, M, G and T are powers of 1024, as in systemd.
public struct ByteSize: Sendable, Equatable {
  /// The size in bytes, 0 or more.
  public let bytes: Int

  /// Reads digits with an optional suffix; throws where the text is anything else or the size passes `Int.max`.
  public init(parsing text: String) throws(SettingError) {
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
