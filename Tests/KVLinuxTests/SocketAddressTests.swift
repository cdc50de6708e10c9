import Glibc
import KVCore
import Testing

@testable import KVLinux

struct SocketAddressTests {
  @Test(arguments: [
    ("192.0.2.1", 7776, "192.0.2.1:7776"), ("0.0.0.0", 0, "0.0.0.0:0"),
    ("255.255.255.255", 65535, "255.255.255.255:65535"),
    ("2001:db8::1", 7776, "[2001:db8::1]:7776"), ("::", 1, "[::]:1"), ("::1", 80, "[::1]:80"),
    ("::ffff:192.0.2.1", 7776, "192.0.2.1:7776"),
  ])
  func isDescribedAsPeopleWriteIt(text: String, port: UInt16, description: String) throws {
    let address = try #require(IPAddress(text))
    #expect(SocketAddress(address, port: port).description == description)
  }

  @Test(arguments: [
    ("7776", "[::]:7776"), ("127.0.0.1:7776", "127.0.0.1:7776"), ("[::1]:7776", "[::1]:7776"),
  ])
  func aPortAloneIsEveryAddress(text: String, description: String) throws {
    #expect(try SocketAddress(ListenAddress(parsing: text)).description == description)
  }

  @Test func hasTheFamilyAndSizeOfItsKind() {
    let v4 = SocketAddress(.v4(0x7F00_0001), port: 1)
    #expect(v4.family == AF_INET)
    #expect(Int(v4.byteCount) == MemoryLayout<sockaddr_in>.size)
    let v6 = SocketAddress(.v6(1), port: 1)
    #expect(v6.family == AF_INET6)
    #expect(Int(v6.byteCount) == MemoryLayout<sockaddr_in6>.size)
  }

  @Test(arguments: [("127.0.0.1", "127.0.0.1:7776"), ("192.0.2.7", "192.0.2.7:7776"), ("::1", "[::1]:7776")])
  func literalAddressesResolveToThemselves(host: String, description: String) throws {
    #expect(try SocketAddress.resolve(host: host, port: 7776).map(\.description) == [description])
  }

  @Test func theHostsFileIsAsked() throws {
    let addresses = try SocketAddress.resolve(host: "localhost", port: 7776).map(\.description)
    #expect(addresses.contains("127.0.0.1:7776") || addresses.contains("[::1]:7776"))
  }

  @Test func aNameThatCannotBeOneIsNamed() {
    // A label of more than 63 characters fits no DNS query, so that none is sent.
    let host = String(repeating: "x", count: 300)
    let error = #expect(throws: ResolveError.self) { try SocketAddress.resolve(host: host, port: 7776) }
    #expect(error?.host == host)
    #expect(error?.description.hasPrefix("cannot resolve '\(host)': ") == true)
    #expect(error?.reason.isEmpty == false)
  }
}
