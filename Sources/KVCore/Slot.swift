/// Where a key falls: the first two bytes, big-endian, of MD5(key + LF), 0 through 65535.
public struct Slot: Hashable, Comparable, Sendable {
  /// How many slots there are.
  public static let count = 65_536

  /// The slot's number.
  public let number: Int

  /// Reads the slot from the first two bytes of a digest.
  public init(digestByte0: UInt8, digestByte1: UInt8) {
    number = Int(digestByte0) << 8 | Int(digestByte1)
  }

  /// The slot of that number.
  public init(number: Int) {
    precondition((0..<Self.count).contains(number), "slots are numbered from 0 to \(Self.count - 1)")
    self.number = number
  }

  /// By number.
  public static func < (left: Slot, right: Slot) -> Bool { left.number < right.number }
}
