import Testing

@testable import KVCore

struct ListenAddressTests {
  @Test(arguments: [
    ("7776", ListenAddress.port(7776)), ("1", .port(1)), ("65535", .port(65535)),
    ("127.0.0.1:7776", .address(.v4(0x7f00_0001), port: 7776)), ("0.0.0.0:80", .address(.v4(0), port: 80)),
    ("[::1]:7776", .address(.v6(1), port: 7776)), ("[::]:80", .address(.v6(0), port: 80)),
  ])
  func readsAndWrites(text: String, address: ListenAddress) throws {
    #expect(try ListenAddress(parsing: text) == address)
    #expect(address.description == text)
  }

  @Test(arguments: [
    "", "0", "65536", "07776", "+1", "-1", "abc", "7776 ", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536",
    "[127.0.0.1]:7776", "::1:7776", "[::1]", "[::1]7776", "[::1:7776", "localhost:7776", ":7776", "/run/kvnode.sock",
  ])
  func refusesTheRest(text: String) {
    #expect(
      throws: SettingError(
        expected: "a port such as 7776, or an address and a port such as 127.0.0.1:7776 or [::1]:7776")
    ) { try ListenAddress(parsing: text) }
  }

  @Test(arguments: [
    ("7776", "7776", true), ("7776", "127.0.0.1:7776", true), ("[::1]:7776", "7776", true), ("7776", "7777", false),
    ("127.0.0.1:7776", "127.0.0.1:7776", true), ("127.0.0.1:7776", "[::1]:7776", false),
    ("127.0.0.1:7776", "127.0.0.1:7777", false),
  ])
  func overlapsOnTheSamePort(one: String, other: String, overlaps: Bool) throws {
    #expect(try ListenAddress(parsing: one).overlaps(ListenAddress(parsing: other)) == overlaps)
  }
}
