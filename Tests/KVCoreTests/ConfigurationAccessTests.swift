import Testing

@testable import KVCore

struct ConfigurationAccessTests {
  @Test(
    arguments: [
      ("", true), ("[Access]\nOpen=no", true), ("[Access]\nAllowedClients=", true), ("[Access]\nOpen=yes", false),
      ("[Access]\nAllowedClients=192.0.2.0/24", false), ("[Access]\nAllowedPeers=192.0.2.0/24", false),
      ("[Peers]\nhost=192.0.2.1", false), ("[Access]\nOpen=yes\nOpen=", true),
    ])
  func otherHostsAreServedOnceSomethingSaysSo(text: String, isAlone: Bool) throws {
    let (configuration, warnings) = try ConfigurationTests.parse([text])
    #expect(configuration.servesThisHostOnly == isAlone)
    #expect(warnings.isEmpty)
  }

  @Test(
    arguments: [
      ("127.0.0.1", true), ("127.255.255.255", true), ("::1", true), ("128.0.0.1", false), ("0.0.0.0", false),
      ("::", false), ("192.0.2.1", false), ("2001:db8::1", false),
    ])
  func loopbackAddressesAreTheHostItself(text: String, isLoopback: Bool) throws {
    #expect(try #require(IPAddress(text)).isLoopback == isLoopback)
  }
}
