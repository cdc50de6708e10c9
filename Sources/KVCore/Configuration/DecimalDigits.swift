extension FixedWidthInteger {
  /// The number written by one or more ASCII digits and nothing else; `nil` for any other text and on overflow.
  ///
  /// The standard library's initializer also takes a sign, which none of our formats allows.
  init?(decimalDigits text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
    self.init(text)
  }
}

extension UInt8 {
  /// Whether this byte is one of `0` to `9` in ASCII.
  var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

  /// Whether this byte is one of `A` to `Z` and `a` to `z` in ASCII.
  var isASCIILetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self | 0x20) }
}
