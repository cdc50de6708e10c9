/// SplitMix64, so that a failing stream can be made again from its seed.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  /// Replaces, removes or inserts a few bytes, most of them such as mean something in HTTP.
  mutating func spoil(_ bytes: inout [UInt8]) {
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
