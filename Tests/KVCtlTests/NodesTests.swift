import KVCore
import KVServer
import Testing

@testable import kvctl

@Suite struct NodesTests {
  private func configuration(_ text: String) throws -> Configuration {
    try Configuration.parse(files: [("kvnode.conf", Array(text.utf8))], hostName: "elsewhere", isNode: false)
      .configuration
  }

  private static let peers = "[Peers]\nnode1=192.0.2.1\nnode2=192.0.2.2\nnode3=192.0.2.3\nnode4=192.0.2.4\n"

  @Test(arguments: [("hashme", 0), ("hashmetoo", 3)])
  func goesStraightToTheOwner(key: String, owner: Int) throws {
    let configuration = try configuration(Self.peers)
    let nodes = Nodes(configuration, named: [])
    #expect(nodes.candidates(for: try Key(key.utf8)) == [Endpoint(configuration.peers[owner])])
    #expect(nodes.owner(of: try Key(key.utf8)) == configuration.peers[owner])
    #expect(nodes.all == configuration.peers.map { Endpoint($0) })
  }

  @Test func asksTheNamedNodeWhereTheOwnerCannotBeReached() throws {
    let configuration = try configuration(Self.peers)
    let named = try PeerAddress(parsing: "192.0.2.9:1")
    let nodes = Nodes(configuration, named: [NodeAddress(named)])
    #expect(nodes.candidates(for: try Key("hashme".utf8)) == [Endpoint(configuration.peers[0]), Endpoint(named)])
    #expect(nodes.candidates.first == Endpoint(named))
    #expect(nodes.candidates.count == 5)
  }

  @Test func asksTheNamedNodesWhereNoPeerIsKnown() throws {
    let named = [try PeerAddress(parsing: "192.0.2.9:1"), try PeerAddress(parsing: "192.0.2.8")]
    let nodes = Nodes(Configuration(nodeName: ""), named: named.map { NodeAddress($0) })
    #expect(nodes.candidates(for: try Key("hashme".utf8)) == named.map { Endpoint($0) })
    #expect(nodes.candidates == named.map { Endpoint($0) })
    #expect(nodes.owner(of: try Key("hashme".utf8)) == nil)
    #expect(nodes.fingerprint == nil)
  }

  @Test(arguments: [
    ("", "127.0.0.1:7776"), ("[Node]\nListen=8000", "127.0.0.1:8000"),
    ("[Node]\nListen=192.0.2.5:8000", "192.0.2.5:8000"),
    ("[Node]\nListen=0.0.0.0:8000", "127.0.0.1:8000"), ("[Node]\nListen=[::1]:8000", "[::1]:8000"),
    ("[Node]\nListen=", "127.0.0.1:7776"),
  ])
  func asksThisHostsNodeWhereNothingElseIsKnown(text: String, expected: String) throws {
    let nodes = Nodes(try configuration(text), named: [])
    #expect(nodes.candidates.map(\.description) == [expected])
  }

  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1:7776", nil), ("https://node1:8000/", "node1:8000", true),
    ("HTTPS://node1", "node1:7776", true),
    ("http://[::1]:1", "[::1]:1", false),
  ])
  func namesMaySayWhetherToEncrypt(text: String, address: String, isEncrypted: Bool?) throws {
    let named = try NodeAddress(parsing: text)
    #expect(named.address.description == address)
    #expect(named.isEncrypted == isEncrypted)
  }

  @Test(arguments: ["https://", "ftp://node1", "https://node1/key", "https://user@node1"])
  func whatIsNoNodeIsRefused(text: String) {
    #expect(throws: SettingError.self) { try NodeAddress(parsing: text) }
  }

  /// Whoever wants one node to be asked encrypted does not want the others to see his token in clear text.
  @Test func oneEncryptedNodeMakesAllOthersSo() throws {
    let configuration = try configuration(Self.peers)
    let named = [try NodeAddress(parsing: "https://192.0.2.9"), try NodeAddress(parsing: "http://192.0.2.8")]
    let manner = try MannerOptions.parse([]).load(configuration, named)
    let nodes = Nodes(configuration, named: named, manner: manner)
    #expect(nodes.candidates.map { $0.tls != nil } == [true, false, true, true, true, true])
    #expect(nodes.candidates(for: try Key("hashme".utf8)).map { $0.tls != nil } == [true, true, false])
    let plain = [try NodeAddress(parsing: "192.0.2.9")]
    #expect(try MannerOptions.parse([]).load(configuration, plain).tls == nil)
  }
}
