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
