/// How much of the data filesystem stays free: a share of its size, or a number of bytes.
public enum FreeSpaceReserve: Sendable, Equatable {
  /// Ten-thousandths of the filesystem's size, 0 to 9999: 2 % is 200.
  case share(permyriad: Int)
  /// A number of bytes, 0 or more.
  case bytes(Int)

  /// Reads a percentage below 100 with at most two decimals (`2%`, `0.25%`) or a size (`10G`).
  public init(parsing text: String) throws(SettingError) {
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
  public func bytes(filesystemBytes: Int) -> Int {
    switch self {
    case .bytes(let bytes):
      bytes
    case .share(let permyriad):
      // Divided before multiplied, so that no size of a filesystem overflows.
      filesystemBytes / 10_000 * permyriad + filesystemBytes % 10_000 * permyriad / 10_000
    }
  }
}
