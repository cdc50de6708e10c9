import Testing

@testable import KVCore

struct SlotTests {
  @Test(arguments: [(0x00, 0x00, 0), (0x00, 0xFF, 255), (0x12, 0xAD, 4781), (0xC7, 0x46, 51014), (0xFF, 0xFF, 65535)])
  func isTwoBytesBigEndian(byte0: UInt8, byte1: UInt8, number: Int) {
    #expect(Slot(digestByte0: byte0, digestByte1: byte1).number == number)
    #expect(Slot(digestByte0: byte0, digestByte1: byte1) == Slot(number: number))
  }

  @Test func isOrderedByNumber() {
    #expect([Slot(number: 256), Slot(number: 3), Slot(number: 65_535)].sorted().map(\.number) == [3, 256, 65_535])
  }

  @Test(arguments: [-1, 65_536])
  func trapsOnANumberThatIsNone(number: Int) async {
    await #expect(processExitsWith: .failure) { [number] in _ = Slot(number: number) }
  }
}
