import KVHTTP

/// An IPv4 or IPv6 address, without a zone.
package enum IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// The four bytes, the first one the most significant.
  case v4(UInt32)
  /// The sixteen bytes, the first one the most significant.
  case v6(UInt128)

  /// Reads `192.0.2.1` (four decimal numbers without leading zeros) or an address in the forms of RFC 4291,
  /// section 2.2; `nil` for anything else.
  package init?(_ text: some StringProtocol) {
    // The longest text of an address: INET6_ADDRSTRLEN without its NUL.
    guard text.utf8.count <= 45 else { return nil }
    if let value = Self.v4Value(Substring(text)) {
      self = .v4(value)
    } else if let value = Self.v6Value(Substring(text)) {
      self = .v6(value)
    } else {
      return nil
    }
  }

  /// Whether this is `0.0.0.0` or `::`: every address to listen on, and none to connect to.
  package var isUnspecified: Bool {
    switch self {
    case .v4(let value): value == 0
    case .v6(let value): value == 0
    }
  }

  /// Whether it stands for the host itself, 127.0.0.0/8 or ::1: no packet from elsewhere bears it.
  package var isLoopback: Bool {
    switch self {
    case .v4(let value): value >> 24 == 127
    case .v6(let value): value == 1
    }
  }

  /// The address in its usual text, IPv6 as in RFC 5952, section 4.
  package var description: String {
    switch self {
    case .v4(let value):
      [24, 16, 8, 0].map { String(value >> UInt32($0) & 0xff) }.joined(separator: ".")
    case .v6(let value):
      Self.v6Text(value)
    }
  }

  private static func v4Value(_ text: Substring) -> UInt32? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard let byte = UInt8(decimalDigits: part), part == "0" || !part.hasPrefix("0") else { return nil }
      value = value << 8 | UInt32(byte)
    }
    return value
  }

  private static func v6Value(_ text: Substring) -> UInt128? {
    var groups: [UInt16]
    if let gap = text.firstRange(of: "::") {
      guard let head = v6Groups(text[..<gap.lowerBound], mayEndInV4: false),
        let tail = v6Groups(text[gap.upperBound...], mayEndInV4: true), head.count + tail.count <= 7
      else { return nil }
      groups = head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    } else {
      guard let all = v6Groups(text, mayEndInV4: true), all.count == 8 else { return nil }
      groups = all
    }
    return groups.reduce(0) { $0 << 16 | UInt128($1) }
  }

  /// The 16-bit groups between single colons; none for an empty text.
  private static func v6Groups(_ text: Substring, mayEndInV4: Bool) -> [UInt16]? {
    guard !text.isEmpty else { return [] }
    var parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var ending: [UInt16] = []
    if mayEndInV4, let last = parts.last, let value = v4Value(last) {
      ending = [UInt16(value >> 16), UInt16(value & 0xffff)]
      parts.removeLast()
    }
    var groups: [UInt16] = []
    for part in parts {
      guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
        let group = UInt16(part, radix: 16)
      else { return nil }
      groups.append(group)
    }
    return groups + ending
  }

  private static func v6Text(_ value: UInt128) -> String {
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: value >> (112 - 16 * UInt128($0))) }
    var zeros = 0..<0
    var start = 0
    for index in 0...8 where index == 8 || groups[index] != 0 {
      if index - start > max(zeros.count, 1) { zeros = start..<index }
      start = index + 1
    }
    let hex = groups.map { String($0, radix: 16) }
    guard !zeros.isEmpty else { return hex.joined(separator: ":") }
    return hex[..<zeros.lowerBound].joined(separator: ":") + "::" + hex[zeros.upperBound...].joined(separator: ":")
  }
}

/// A block of addresses that share a prefix, as `192.0.2.0/24` or `2001:db8::/32` (RFC 4632, RFC 4291 section 2.3); an
/// address alone is a block of one.
package struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
  private static let expectation = "an address or a block of addresses, such as 192.0.2.0/24 or 2001:db8::/32"

  private let address: IPAddress
  private let prefixBits: Int

  /// Reads `ADDRESS` or `ADDRESS/BITS`. Bits set beyond the prefix are an error: they are a slip more often than not.
  package init(parsing text: some StringProtocol) throws(SettingError) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let address = IPAddress(parts[0]) else { throw SettingError(expected: Self.expectation) }
    let width = address.bitWidth
    var prefixBits = width
    if parts.count > 1 {
      guard let bits = Int(decimalDigits: parts[1]), bits <= width else {
        throw SettingError(expected: "\(Self.expectation); /\(parts[1]) is not 0 to \(width)")
      }
      prefixBits = bits
    }
    guard address.clearing(bitsBeyond: prefixBits) == address else {
      throw SettingError(expected: "\(address.clearing(bitsBeyond: prefixBits))/\(prefixBits) instead of \(text)")
    }
    self.address = address
    self.prefixBits = prefixBits
  }

  /// Reads a list of blocks separated by blanks.
  static func parseList(_ text: String) throws(SettingError) -> [AddressBlock] {
    var blocks: [AddressBlock] = []
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," }) {
      blocks.append(try AddressBlock(parsing: word))
    }
    return blocks
  }

  /// Whether an address is in the block; addresses of the other family never are.
  package func contains(_ other: IPAddress) -> Bool {
    other.bitWidth == address.bitWidth && other.clearing(bitsBeyond: prefixBits) == address
  }

  /// The block as it is read.
  package var description: String { "\(address)/\(prefixBits)" }
}

extension IPAddress {
  fileprivate var bitWidth: Int {
    switch self {
    case .v4: 32
    case .v6: 128
    }
  }

  fileprivate func clearing(bitsBeyond prefixBits: Int) -> IPAddress {
    switch self {
    case .v4(let bits): .v4(prefixBits == 0 ? 0 : bits & (.max << (32 - prefixBits)))
    case .v6(let bits): .v6(prefixBits == 0 ? 0 : bits & (.max << (128 - prefixBits)))
    }
  }
}
