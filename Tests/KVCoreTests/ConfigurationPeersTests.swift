import KVServer
import Testing

@testable import KVCore

/// The `[Peers]` section, read through the whole configuration.
struct ConfigurationPeersTests {
  private static func peers(_ texts: [String], hostName: String = "node1") throws -> [String] {
    try ConfigurationTests.parse(texts, hostName: hostName).configuration.peers.map(\.description)
  }

  @Test(arguments: [
    (["[Peers]"], []),
    (["[Peers]\nnode1=192.0.2.11"], ["node1 (192.0.2.11:7776)"]),
    (
      ["[Peers]\nz=192.0.2.1:1\nnode1=[2001:db8::1]\na=A.example.org:3"],
      ["z (192.0.2.1:1)", "node1 ([2001:db8::1]:7776)", "a (a.example.org:3)"]
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\n[Node]\nDurability=full\n[Peers]\nnode2=192.0.2.11:7777"],
      ["node1 (192.0.2.11:7776)", "node2 (192.0.2.11:7777)"]
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12", "[Peers]\nnode3=192.0.2.13\nnode1=192.0.2.99"],
      ["node1 (192.0.2.99:7776)", "node2 (192.0.2.12:7776)", "node3 (192.0.2.13:7776)"]
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12", "[Peers]\nnode1=192.0.2.12\nnode2=192.0.2.11"],
      ["node1 (192.0.2.12:7776)", "node2 (192.0.2.11:7776)"]
    ),
    (["[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12", "[Peers]\nnode2="], ["node1 (192.0.2.11:7776)"]),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12", "[Peers]\nnode1=", "[Peers]\nnode1=192.0.2.99"],
      ["node1 (192.0.2.99:7776)", "node2 (192.0.2.12:7776)"]
    ),
    (["[Peers]\nnode2=192.0.2.12", "[Peers]\nnode2="], []),
  ])
  func keepsTheirOrder(texts: [String], peers: [String]) throws {
    #expect(try Self.peers(texts) == peers)
  }

  @Test(arguments: [
    (
      ["[Peers]\nnode1=192.0.2.11\n\nnode1=192.0.2.12"],
      "main:4: node1=192.0.2.12: expected each name once; line 2 already says node1=192.0.2.11"
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12", "[Peers]\nnode2=\nnode2=192.0.2.13"],
      "1.conf:3: node2=192.0.2.13: expected each name once; line 2 already says node2="
    ),
    (
      ["[Peers]\nnode1=node1.example.org\nnode2=192.0.2.12\nnode3=Node1.example.org:7776"],
      "main:4: node3=Node1.example.org:7776: expected an address of its own;"
        + " main:2 gives it to node1 (node1.example.org:7776)"
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12", "[Peers]\nnode2=192.0.2.11"],
      "1.conf:2: node2=192.0.2.11: expected an address of its own; main:2 gives it to node1 (192.0.2.11:7776)"
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode2="],
      "main:3: node2=: expected an address such as 192.0.2.12:7776, [2001:db8::12]:7776 or node2.example.org:7776"
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode 2=192.0.2.12"],
      "main:3: node 2=192.0.2.12: expected before the equals sign a name of 1 to 64 letters, digits, '.', '_' or '-'"
    ),
    (
      ["[Peers]\nnode1=0.0.0.0"],
      "main:2: node1=0.0.0.0: expected an address that the other nodes can connect to, not 0.0.0.0"
    ),
    (
      ["[Node]\nName=node9\n[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12"],
      "main:2: Name=node9: expected a name in [Peers], which has node1, node2;"
        + " correct it here, or add node9 to [Peers] on every node"
    ),
    (
      ["[Peers]\nnode2=192.0.2.12\nnode3=192.0.2.13"],
      "main:2: [Peers] has node2, node3, but not this node, named node1 after its host;"
        + " set Name= in [Node] to one of them, or add node1 to [Peers] on every node"
    ),
    (
      ["[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12", "[Peers]\nnode1="],
      "main:3: [Peers] has node2, but not this node, named node1 after its host;"
        + " set Name= in [Node] to one of them, or add node1 to [Peers] on every node"
    ),
  ])
  func reportsOneLineForAMistake(texts: [String], message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.peers(texts) }
    #expect(error?.description == message)
  }

  @Test func shortensAListOfManyNames() {
    let lines = (1...12).map { "peer\($0)=192.0.2.\($0)" }.joined(separator: "\n")
    let error = #expect(throws: ConfigurationError.self) { try Self.peers(["[Peers]\n\(lines)"]) }
    #expect(error?.description.contains("[Peers] has peer1, peer2,") == true)
    #expect(error?.description.contains(", peer10 and 2 more, but not this node") == true)
  }

  @Test func needNotNameAReaderThatIsNoNode() throws {
    let files = [(name: "main", contents: Array("[Peers]\na=192.0.2.1\nb=192.0.2.2".utf8))]
    #expect(throws: ConfigurationError.self) { try Configuration.parse(files: files, hostName: "laptop") }
    let (configuration, warnings) = try Configuration.parse(files: files, hostName: "laptop", isNode: false)
    #expect(configuration.peers.map(\.name) == ["a", "b"])
    #expect(warnings == [])
  }

  @Test(arguments: [
    ("AllowedClients=192.0.2.0/28", nil),
    ("AllowedPeers=192.0.2.12 192.0.2.13", nil),
    ("AllowedClients=192.0.2.11", "1.conf:2: AllowedClients=192.0.2.11: refuses node2, node3 of [Peers]"),
    (
      "AllowedClients=192.0.2.12\nAllowedPeers=192.0.2.13",
      "1.conf:3: AllowedPeers=192.0.2.13: refuses node2 of [Peers]"
    ),
    ("AllowedClients=192.0.2.11\nAllowedPeers=192.0.2.12\nAllowedPeers=192.0.2.13", nil),
  ])
  func warnsOfPeersThatAccessRefuses(access: String, warning: String?) throws {
    let text = "[Peers]\nnode1=192.0.2.11\nnode2=192.0.2.12\nnode3=192.0.2.13\nnode4=host4"
    let warnings = try ConfigurationTests.parse([text, "[Access]\n\(access)"], hostName: "node1").warnings
    let expected = warning.map { [$0 + "; AllowedPeers= should list their addresses"] } ?? []
    #expect(warnings.map(\.description) == expected)
  }

  @Test func takesAtMost1024Peers() throws {
    let lines = (1...1030).map { "node\($0)=10.0.\($0 / 256).\($0 % 256)" }
    let most = "[Peers]\n" + lines.prefix(1024).joined(separator: "\n")
    #expect(try Self.peers([most]).count == 1024)
    let error = #expect(throws: ConfigurationError.self) {
      try Self.peers(["[Peers]\n" + lines.joined(separator: "\n")])
    }
    #expect(error?.description == "main:1026: node1025=10.0.4.1: expected at most 1024 peers")
  }

  @Test func readsWeightsAndZones() throws {
    let text =
      "[Cluster]\nPlacement=rendezvous\n[Peers]\nnode1=192.0.2.11 zone=rack1 weight=4\nnode2=192.0.2.12:1\tweight=65535"
    let (configuration, warnings) = try ConfigurationTests.parse([text], hostName: "node1")
    #expect(configuration.peers.map(\.weight) == [4, 65_535])
    #expect(configuration.peers.map(\.zone) == ["rack1", nil])
    #expect(warnings == [])
  }

  @Test(arguments: [
    ("weight=0", "expected weight= with a number from 1 to 65535"),
    ("weight=65536", "expected weight= with a number from 1 to 65535"),
    ("weight=", "expected weight= with a number from 1 to 65535"),
    ("zone=", "expected zone= with a name of 1 to 64 letters, digits, '.', '_' or '-'"),
    ("zone=räck", "expected zone= with a name of 1 to 64 letters, digits, '.', '_' or '-'"),
    (
      "zone=rack 1",
      "expected after the address at most one weight= and one zone=, without blanks in them, not '1'"
    ),
    (
      "weight=1 weight=2",
      "expected after the address at most one weight= and one zone=, without blanks in them, not 'weight=2'"
    ),
  ])
  func refusesWhatIsNoWeightOrZone(words: String, message: String) {
    let line = "node1=192.0.2.11 \(words)"
    let error = #expect(throws: ConfigurationError.self) { try Self.peers(["[Peers]\n\(line)"]) }
    #expect(error?.description == "main:2: \(line): \(message)")
  }

  @Test(arguments: [
    ("weight=2", "weight="), ("zone=a", "zone="), ("zone=a weight=2", "weight= and zone="),
  ])
  func warnsOfWeightsThatHaveNoEffect(words: String, what: String) throws {
    let line = "node1=192.0.2.11 \(words)"
    let warnings = try ConfigurationTests.parse(["[Peers]\n\(line)"], hostName: "node1").warnings
    #expect(
      warnings.map(\.description) == [
        "main:2: \(line): \(what) of node1 has no effect without Placement=rendezvous in [Cluster]"
      ])
  }
}
