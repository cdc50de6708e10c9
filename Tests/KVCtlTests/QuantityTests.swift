import Testing

@testable import kvctl

@Suite struct QuantityTests {
  @Test(arguments: [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (10 * 1024 - 1, "10 KiB"), (10_240, "10 KiB"),
    (1_048_575, "1.0 MiB"), (128 << 20, "128 MiB"), (3 << 40, "3.0 TiB"), (Int.max, "8.0 EiB"),
  ])
  func writesBytes(count: Int, expected: String) { #expect(Quantity.bytes(count) == expected) }

  @Test(arguments: [
    (0, "0:00"), (7, "0:07"), (60, "1:00"), (754, "12:34"), (3600, "1:00:00"), (3723, "1:02:03"),
    (360_000, "100:00:00"),
  ])
  func writesClocks(seconds: Int, expected: String) { #expect(Quantity.clock(seconds: seconds) == expected) }

  @Test(arguments: [
    (0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 d"),
  ])
  func writesAges(seconds: Int, expected: String) { #expect(Quantity.age(seconds: seconds) == expected) }

  @Test(arguments: [
    (0, "0 µs"), (999, "999 µs"), (1000, "1.00 ms"), (1254, "1.25 ms"), (9994, "9.99 ms"), (9999, "10.0 ms"),
    (12_540, "12.5 ms"), (99_960, "100 ms"), (1_204_000, "1.20 s"), (75_000_000, "75.0 s"),
  ])
  func writesLatencies(microseconds: Int, expected: String) {
    #expect(Quantity.latency(microseconds: microseconds) == expected)
  }
}
