import Testing

@testable import KVCore

struct PeerAddressTests {
  private static let expected =
    "an address such as 192.0.2.12:7776, [2001:db8::12]:7776 or node2.example.org:7776"

  @Test(arguments: [
    ("192.0.2.12:80", PeerAddress(host: .address(.v4(0xc000_020c)), port: 80), "192.0.2.12:80"),
    ("192.0.2.12", PeerAddress(host: .address(.v4(0xc000_020c)), port: 7776), "192.0.2.12:7776"),
    ("[::1]:80", PeerAddress(host: .address(.v6(1)), port: 80), "[::1]:80"),
    ("[0:0::1]", PeerAddress(host: .address(.v6(1)), port: 7776), "[::1]:7776"),
    ("Node2.Example.org:80", PeerAddress(host: .name("node2.example.org"), port: 80), "node2.example.org:80"),
    ("node_2", PeerAddress(host: .name("node_2")), "node_2:7776"),
    ("2node.", PeerAddress(host: .name("2node.")), "2node.:7776"),
  ])
  func readsAndWrites(text: String, address: PeerAddress, canonical: String) throws {
    #expect(try PeerAddress(parsing: text) == address)
    #expect(address.description == canonical)
    #expect(try PeerAddress(parsing: canonical) == address)
  }

  @Test(arguments: [
    "", ":7776", "node2:", "node2:0", "node2:65536", "node2:80:90", "2001:db8::12", "2001:db8::12:7776",
    "[2001:db8::12",
    "[::1]7776", "[node2]:7776", "[192.0.2.12]", "192.0.2", "192.0.2.300", "192.0.2.012", "7776", "0x7f000001",
    "http://node2", "node 2", "-node2", "node2-.org", "node2..org", ".", "nöde2", "192.0.2.12:7776 # first",
    String(repeating: "a", count: 64), String(repeating: "abc.", count: 64),
  ])
  func refusesTheRest(text: String) {
    #expect(throws: SettingError(expected: Self.expected)) { try PeerAddress(parsing: text) }
  }

  @Test(arguments: ["0.0.0.0:7776", "[::]"])
  func refusesTheUnspecifiedAddress(text: String) throws {
    let error = try #require(throws: SettingError.self) { try PeerAddress(parsing: text) }
    #expect(error.expected.hasPrefix("an address that the other nodes can connect to, not "))
  }

  @Test func namesThePeerInMessages() throws {
    #expect(
      try Peer(name: "node2", address: PeerAddress(parsing: "192.0.2.12")).description == "node2 (192.0.2.12:7776)")
  }
}
