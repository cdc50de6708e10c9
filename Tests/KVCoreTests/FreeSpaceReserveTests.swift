import Testing

@testable import KVCore

struct FreeSpaceReserveTests {
  @Test(arguments: [
    ("2%", FreeSpaceReserve.share(permyriad: 200)), ("0%", .share(permyriad: 0)), ("0.5%", .share(permyriad: 50)),
    ("0.05%", .share(permyriad: 5)), ("99.99%", .share(permyriad: 9999)), ("10G", .bytes(10 << 30)), ("0", .bytes(0)),
  ])
  func readsPercentagesAndSizes(text: String, reserve: FreeSpaceReserve) throws {
    #expect(try FreeSpaceReserve(parsing: text) == reserve)
  }

  @Test(arguments: [
    ("abc", "a percentage such as 2% or a size such as 10G"), ("", "a percentage such as 2% or a size such as 10G"),
    ("%", "a percentage such as 2% or a size such as 10G"), ("-1%", "a percentage such as 2% or a size such as 10G"),
    (".5%", "a percentage such as 2% or a size such as 10G"), ("1.%", "a percentage such as 2% or a size such as 10G"),
    ("1.005%", "a percentage such as 2% or a size such as 10G"),
    ("2 %", "a percentage such as 2% or a size such as 10G"),
    ("99999999999999999999%", "a percentage such as 2% or a size such as 10G"),
    ("100%", "a percentage below 100%"), ("100.5%", "a percentage below 100%"),
    ("10X", "a size such as 128M: a number of bytes, or a number and one of K, M, G, T"),
    ("9999999T", "a size of at most 9223372036854775807 bytes"),
  ])
  func refusesTheRest(text: String, expected: String) {
    #expect(throws: SettingError(expected: expected)) { try FreeSpaceReserve(parsing: text) }
  }

  @Test(arguments: [
    (FreeSpaceReserve.share(permyriad: 200), 1_000_000, 20_000), (.share(permyriad: 200), 49, 0),
    (.share(permyriad: 200), 50, 1), (.share(permyriad: 9999), Int.max, 9_222_449_699_651_090_329),
    (.share(permyriad: 0), Int.max, 0), (.bytes(123), 1000, 123),
  ])
  func takesItsShareOfTheFilesystem(reserve: FreeSpaceReserve, filesystemBytes: Int, bytes: Int) {
    #expect(reserve.bytes(filesystemBytes: filesystemBytes) == bytes)
  }
}
