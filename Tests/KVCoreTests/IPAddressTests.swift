import Testing

@testable import KVCore

struct IPAddressTests {
  @Test(
    arguments: [
      ("0.0.0.0", 0), ("127.0.0.1", 0x7f00_0001), ("192.0.2.11", 0xc000_020b), ("255.255.255.255", 0xffff_ffff),
    ] as [(String, UInt32)])
  func readsAndWritesIPv4(text: String, value: UInt32) {
    #expect(IPAddress(text) == .v4(value))
    #expect(IPAddress.v4(value).description == text)
  }

  @Test(
    arguments: [
      ("::", 0, "::"),
      ("::1", 1, "::1"),
      ("1::", 1 << 112, "1::"),
      ("2001:db8::12", 0x2001_0db8 << 96 | 0x12, "2001:db8::12"),
      ("2001:0DB8:0:0:0:0:0:0012", 0x2001_0db8 << 96 | 0x12, "2001:db8::12"),
      ("1:0:0:2:0:0:0:3", 1 << 112 | 2 << 64 | 3, "1:0:0:2::3"),
      ("1:0:0:2:3:0:0:4", 1 << 112 | 2 << 64 | 3 << 48 | 4, "1::2:3:0:0:4"),
      ("1:0:2:3:4:5:6:7", 0x0001_0000_0002_0003_0004_0005_0006_0007, "1:0:2:3:4:5:6:7"),
      ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004_0005_0006_0007_0000, "1:2:3:4:5:6:7:0"),
      ("::ffff:192.0.2.1", 0xffff_c000_0201, "::ffff:c000:201"),
      ("1:2:3:4:5:6:7.8.9.10", 0x0001_0002_0003_0004_0005_0006_0708_090a, "1:2:3:4:5:6:708:90a"),
    ] as [(String, UInt128, String)])
  func readsAndWritesIPv6(text: String, value: UInt128, canonical: String) {
    #expect(IPAddress(text) == .v6(value))
    #expect(IPAddress.v6(value).description == canonical)
    #expect(IPAddress(canonical) == .v6(value))
  }

  @Test(arguments: [
    "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "1..2.3", "+1.2.3.4", "1.2.3.4 ", ":", ":::", "1:", ":1",
    "1:::2",
    "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::", "+1::",
    "1.2.3.4::", "::1.2.3", "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", "fe80::1%eth0", "[::1]",
    "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
  ])
  func refusesTheRest(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test(arguments: [("0.0.0.0", true), ("::", true), ("0.0.0.1", false), ("::1", false)])
  func knowsTheUnspecifiedAddress(text: String, isUnspecified: Bool) {
    #expect(IPAddress(text)?.isUnspecified == isUnspecified)
  }
}
