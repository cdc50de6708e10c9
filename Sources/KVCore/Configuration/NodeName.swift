/// What may name a node: 1 to 64 ASCII letters, digits, `.`, `_` or `-`.
public enum NodeName {
  /// The longest name, in bytes; the kernel's host names are as long.
  public static let bytesMax = 64

  /// The text itself where it may name a node. Upper and lower case differ.
  public static func parse(_ text: String) throws(SettingError) -> String {
    guard (1...bytesMax).contains(text.utf8.count), text.utf8.allSatisfy(isAllowed) else {
      throw SettingError(expected: "a name of 1 to \(bytesMax) letters, digits, '.', '_' or '-'")
    }
    return text
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: byte.isASCIILetter || byte.isASCIIDigit
    }
  }
}
