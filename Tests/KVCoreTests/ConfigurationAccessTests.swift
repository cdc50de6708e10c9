import Testing

@testable import KVCore

struct ConfigurationAccessTests {
  @Test(
    arguments: [
      ("", true), ("[Access]\nOpen=no", true), ("[Access]\nAllowedClients=", true), ("[Access]\nOpen=yes", false),
      ("[Access]\nAllowedClients=192.0.2.0/24", false), ("[Access]\nAllowedPeers=192.0.2.0/24", false),
      ("[Peers]\nhost=192.0.2.1", false), ("[Access]\nOpen=yes\nOpen=", true),
      ("[Access]\nTokens=/t", false), ("[Access]\nAnonymous=read", false), ("[Access]\nAnonymous=none", false),
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

  @Test(
    arguments: [
      ("", true, true), ("Tokens=/t", true, false), ("Tokens=/t\nAnonymous=read", true, true),
      ("Anonymous=none", false, false), ("Anonymous=read\nAnonymous=", true, true),
    ])
  func whoeverShowsNothingMayDoWhatIsSaidOfHim(text: String, onOwnHost: Bool, elsewhere: Bool) throws {
    let access = try ConfigurationTests.parse(["[Access]\n\(text)"]).configuration.access
    let need = Need(.read, keys: [1])
    #expect(access.anonymousGrants(isOwnHost: true).permit(need) == onOwnHost)
    #expect(access.anonymousGrants(isOwnHost: false).permit(need) == elsewhere)
  }

  @Test(
    arguments: [
      ("[Access]\nTokens=/t", false), ("[Access]\nAnonymous=read", false),
      ("[Access]\nTokens=/t\nAllowedPeers=192.0.2.0/24", true), ("[Access]\nTokens=/t\n[Cluster]\nSecret=/s", true),
      ("[Access]\nTokens=/t\n[Cluster]\nSecret=/s\nSecret=", false), ("[Cluster]\nSecret=/s", true),
      ("[Access]\nTokens=/t\n[TLS]\nCertificate=/c\nPrivateKey=/k\nPeers=required\nPeerAuthorities=/a", true),
      ("[Access]\nTokens=/t\n[TLS]\nCertificate=/c\nPrivateKey=/k\nPeers=accepted\nPeerAuthorities=/a", false),
    ])
  func whereTokensCountItIsSaidWhoIsANode(text: String, isEnough: Bool) throws {
    let peers = "\n[Peers]\nhost=192.0.2.1\nother=192.0.2.2"
    guard !isEnough else {
      #expect(try ConfigurationTests.parse([text + peers]).warnings.isEmpty)
      return
    }
    let error = #expect(throws: ConfigurationError.self) { try ConfigurationTests.parse([text + peers]) }
    #expect(
      error?.description.contains("expected Secret= in [Cluster], Peers=required in [TLS] or AllowedPeers= beside it")
        == true)
  }

  @Test(arguments: ["Secret=a/b", "Secret=/", "Secret=a b", "Secret=/a/../b"])
  func aSecretIsInAFileOrACredential(line: String) {
    #expect(throws: ConfigurationError.self) { try ConfigurationTests.parse(["[Cluster]\n\(line)"]) }
  }
}
