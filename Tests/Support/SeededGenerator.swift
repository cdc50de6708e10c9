import Glibc

/// SplitMix64: the same seed gives the same test again.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// A generator for one round of one test. `KVNODE_TEST_SEED` gives all of them another start.
  package init(round: Int, _ salt: UInt64) {
    let start = getenv("KVNODE_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
    var mixer = SeededGenerator(seed: start &* 0x2545_f491_4f6c_dd1d ^ salt)
    self.init(seed: mixer.next() ^ UInt64(round) &* 0x9e37_79b9_7f4a_7c15)
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// True once in so many times.
  package mutating func once(in times: UInt64) -> Bool { next() % times == 0 }

  /// 0 through the limit, with every order of magnitude as likely as any other.
  package mutating func size(through limit: Int) -> Int {
    let bits = Int.random(in: 0...(Int.bitWidth - limit.leadingZeroBitCount), using: &self)
    return bits == 0 ? 0 : min(Int.random(in: (1 << (bits - 1))...((1 << bits) - 1), using: &self), limit)
  }

  /// Lengths that add up to so many bytes, none of them 0; of mixed sizes, and a few hundred at the most.
  package mutating func pieces(of byteCount: Int) -> [Int] {
    let largest = max(size(through: byteCount), byteCount / 200, 1)
    var pieces: [Int] = []
    var rest = byteCount
    while rest > 0 {
      let smallest = max(largest / 8, 1)
      let piece = min(Int.random(in: smallest...largest, using: &self), rest)
      pieces.append(piece)
      rest -= piece
    }
    return pieces
  }

  /// Replaces, removes or inserts a few bytes, most of them such as mean something in HTTP.
  package mutating func spoil(_ bytes: inout [UInt8]) {
    let telling = Array("\r\n\t :;,%/?#*0159afAF\0\u{7F}é".utf8)
    for _ in 0..<Int.random(in: 1...3, using: &self) {
      guard let index = bytes.indices.randomElement(using: &self), let byte = telling.randomElement(using: &self) else {
        return
      }
      switch Int.random(in: 0..<3, using: &self) {
      case 0: bytes[index] = byte
      case 1: bytes.remove(at: index)
      default: bytes.insert(byte, at: index)
      }
    }
  }
}
