import KVCore

/// Numbers as people read them.
enum Quantity {
  private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

  /// `0 B`, `999 B`, `1.5 KiB`, `128 MiB`: three digits at most, but for 1000 to 1023.
  static func bytes(_ count: Double) -> String {
    var value = count
    var unit = 0
    // What would be rounded to 1024 is one of the next unit.
    while value >= 1023.5, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    guard unit > 0, value < 9.95 else { return "\(Int(value.rounded())) \(units[unit])" }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
  }

  static func bytes(_ count: Int) -> String { bytes(Double(count)) }

  /// `1 byte`, `1536 bytes`.
  static func exactBytes(_ count: Int) -> String { Counted(count, "byte").description }

  /// `1 value`, `2 values`.
  static func values(_ count: Int) -> String { Counted(count, "value").description }

  /// `118 MiB/s`.
  static func rate(_ bytesPerSecond: Double) -> String { "\(bytes(bytesPerSecond))/s" }

  /// `0:07`, `12:34`, `1:02:03`, for what is watched while it passes.
  static func clock(seconds: Int) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
    return hours > 0 ? "\(hours):\(padded(minutes)):\(padded(rest))" : "\(minutes):\(padded(rest))"
  }

  /// `12 s`, `3 min`, `5 h`, `12 d`, for what has passed.
  static func age(seconds: Int) -> String {
    switch seconds {
    case ..<120: "\(seconds) s"
    case ..<7200: "\(seconds / 60) min"
    case ..<172_800: "\(seconds / 3600) h"
    default: "\(seconds / 86_400) d"
    }
  }

  /// `850 µs`, `1.25 ms`, `12.5 ms`, `1.20 s`.
  static func latency(microseconds: Int) -> String {
    switch microseconds {
    case ..<1000: "\(microseconds) µs"
    case ..<1_000_000: "\(threeDigits(Double(microseconds) / 1000)) ms"
    default: "\(threeDigits(Double(microseconds) / 1_000_000)) s"
    }
  }

  private static func threeDigits(_ value: Double) -> String {
    let decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
    let factor = [1, 10, 100][decimals]
    let scaled = Int((value * Double(factor)).rounded())
    guard decimals > 0 else { return "\(scaled)" }
    let fraction = String(scaled % factor)
    return "\(scaled / factor).\(String(repeating: "0", count: decimals - fraction.count))\(fraction)"
  }

  private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
