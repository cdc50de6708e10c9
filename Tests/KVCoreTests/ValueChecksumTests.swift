import Testing

@testable import KVCore

struct ValueChecksumTests {
  @Test(
    arguments: [
      (0x99AA_06D3_0147_98D8, 0x6001_C324_468D_497F, "99aa06d3014798d86001c324468d497f"),
      (0, 0, "00000000000000000000000000000000"), (1, 0xA0, "000000000000000100000000000000a0"),
      (.max, 0, "ffffffffffffffff0000000000000000"),
    ] as [(UInt64, UInt64, String)])
  func isThirtyTwoHexDigits(high: UInt64, low: UInt64, text: String) {
    #expect(ValueChecksum(high: high, low: low).description == text)
  }

  @Test func bytesAreMostSignificantFirst() {
    let checksum = ValueChecksum(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F)
    #expect(checksum.bytes == Array(0...15))
  }
}
