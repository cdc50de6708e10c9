/// A block of addresses that share a prefix, as `192.0.2.0/24` or `2001:db8::/32` (RFC 4632, RFC 4291 section 2.3); an
/// address alone is a block of one.
public struct AddressBlock: Sendable, Hashable, CustomStringConvertible {
  private static let expectation = "an address or a block of addresses, such as 192.0.2.0/24 or 2001:db8::/32"

  private let address: IPAddress
  private let prefixBits: Int

  /// Reads `ADDRESS` or `ADDRESS/BITS`. Bits set beyond the prefix are an error: they are a slip more often than not.
  public init(parsing text: some StringProtocol) throws(SettingError) {
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
  public func contains(_ other: IPAddress) -> Bool {
    other.bitWidth == address.bitWidth && other.clearing(bitsBeyond: prefixBits) == address
  }

  /// The block as it is read.
  public var description: String { "\(address)/\(prefixBits)" }
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
