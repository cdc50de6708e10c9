import KVCore

/// What a member draws for a slot, before its weight counts: −log2 of a number that is spread evenly over (0, 1).
///
/// All is done in integers, because the logarithms of two C libraries may differ in the last bit, and a bit is enough
/// for two nodes to take different members for a slot's owner. docs/placement.md has the formula.
package enum RendezvousDraw {
  /// How many bits of a draw stand behind the point. With 24 bits of weight a product of both fits 64 bits.
  package static let fractionBits = 34
  /// The highest draw: −log2 of 2^−64, the least number.
  package static let highest: UInt64 = 64 << UInt64(fractionBits)

  private static let one: UInt64 = 1 << UInt64(fractionBits)
  private static let cellBits: UInt64 = 10
  private static let restBits: UInt64 = 32

  /// log2(1 + i / 1024) for i from 0 through 1024, rounded down to 34 bits behind the point.
  static let logarithms: [UInt64] = (0...1024).map { logarithm(ofMantissa: (1024 + $0) << 53) }

  /// What the member with this seed draws, at least 1: the least draw is the best.
  package static func draw(seed: UInt64, slot: Slot) -> UInt64 {
    negativeLogarithm(of: mix(seed &+ UInt64(slot.number) &* 0x9e37_79b9_7f4a_7c15) | 1)
  }

  /// The finalizer of MurmurHash3 (Appleby), which spreads each bit over all 64.
  static func mix(_ value: UInt64) -> UInt64 {
    var mixed = value
    mixed = (mixed ^ (mixed &>> 33)) &* 0xff51_afd7_ed55_8ccd
    mixed = (mixed ^ (mixed &>> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return mixed ^ (mixed &>> 33)
  }

  /// −log2(odd / 2^64), with 34 bits behind the point.
  ///
  /// The leading zeros are the whole part. Of the other bits ten choose a cell of the table and the next 32 the place
  /// in it, where the logarithm is taken for a straight line. The line is below the curve by 2^−20 / (8 ln 2) at the
  /// most, less than 2^−22. It never falls, and cells meet: so a greater number never has a greater draw.
  static func negativeLogarithm(of odd: UInt64) -> UInt64 {
    let zeros = UInt64(truncatingIfNeeded: odd.leadingZeroBitCount)
    let mantissa = odd &<< zeros
    let cell = Int(truncatingIfNeeded: mantissa &>> (63 &- cellBits)) & 1023
    let rest = (mantissa &>> (63 &- cellBits &- restBits)) & 0xffff_ffff
    let low = logarithms[cell]
    let rise = logarithms[cell &+ 1] &- low
    return (zeros &+ 1) &* one &- low &- ((rise &* rest) &>> restBits)
  }

  /// log2(mantissa / 2^63), bit by bit: squaring a number doubles its logarithm, so that the bit before the point is
  /// the next one, and halving the number takes it away. 2^64, which no mantissa can hold, is passed as 0.
  ///
  /// A squaring drops less than 2^−62 of the number, and each later one doubles that: in all less than 2^−26 of the
  /// last bit. No entry of the table lies that little above a whole number of last bits, but the first, which is exact.
  /// So all are what docs/placement.md says, and the tests have their sum from another implementation.
  private static func logarithm(ofMantissa mantissa: UInt64) -> UInt64 {
    guard mantissa != 0 else { return one }
    var number = mantissa
    var bits: UInt64 = 0
    for _ in 0..<fractionBits {
      let square = number.multipliedFullWidth(by: number)
      let isTwoOrMore = square.high >> 63 == 1
      number = isTwoOrMore ? square.high : square.high << 1 | square.low >> 63
      bits = bits << 1 | (isTwoOrMore ? 1 : 0)
    }
    return bits
  }
}
