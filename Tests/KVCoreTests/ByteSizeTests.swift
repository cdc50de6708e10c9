import Testing

@testable import KVCore

struct ByteSizeTests {
  @Test(arguments: [
    ("0", 0), ("4096", 4096), ("1K", 1024), ("128M", 134_217_728), ("1G", 1_073_741_824), ("2 T", 2_199_023_255_552),
    ("007", 7), ("9223372036854775807", Int.max), ("8388607T", 8_388_607 << 40),
  ])
  func readsPowersOf1024(text: String, bytes: Int) throws {
    #expect(try ByteSize(parsing: text).bytes == bytes)
  }

  @Test(arguments: ["", "K", "abc", "-1", "+1", "1.5G", "1k", "1KB", "1KiB", "1P", "1 0", "1K ", " 1", "0x10", "１"])
  func refusesWhatIsNoSize(text: String) {
    #expect(
      throws: SettingError(expected: "a size such as 128M: a number of bytes, or a number and one of K, M, G, T")
    ) { try ByteSize(parsing: text) }
  }

  @Test(arguments: ["9223372036854775808", "8388608T", "9007199254740992K", "99999999999999999999999999G"])
  func refusesOverflow(text: String) {
    #expect(throws: SettingError(expected: "a size of at most 9223372036854775807 bytes")) {
      try ByteSize(parsing: text)
    }
  }
}
