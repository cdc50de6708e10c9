import KVServer
import Testing

@testable import KVCore

struct ConfigurationTests {
  /// A configuration with some fields changed.
  private static func changed(_ change: (inout Configuration) -> Void) -> Configuration {
    var configuration = Configuration(nodeName: "host")
    change(&configuration)
    return configuration
  }

  /// Parses files of these texts, named `main` and then `1.conf`, `2.conf`…
  static func parse(
    _ texts: [String], hostName: String = "host"
  ) throws(ConfigurationError) -> (configuration: Configuration, warnings: [ConfigurationProblem]) {
    let files = texts.enumerated().map { ($0 == 0 ? "main" : "\($0).conf", Array($1.utf8)) }
    return try Configuration.parse(files: files, hostName: hostName)
  }

  @Test(arguments: [[], [""], ["[Node]\n[Peers]\n[Limits]\n# Name=x"]])
  func hasDefaults(texts: [String]) throws {
    let (configuration, warnings) = try Self.parse(texts)
    #expect(warnings.isEmpty)
    #expect(configuration.nodeName == "host")
    #expect(configuration.listen.map(\.description) == ["7776"])
    #expect(configuration.adminListen.description == "127.0.0.1:7777")
    #expect(configuration.dataDirectory == "/var/lib/kvnode")
    #expect(configuration.durability == .full)
    #expect(configuration.minimumFree == .share(permyriad: 200))
    #expect(configuration.peers.isEmpty)
    #expect(configuration.limits.connectionsMax == 1024)
    #expect(configuration.limits.valueBytesMax == nil)
    #expect(configuration.limits.headerTimeout == .seconds(10))
    #expect(configuration.limits.idleTimeout == .seconds(60))
    #expect(configuration.limits.connectTimeout == .seconds(3))
    #expect(configuration.limits.drainTimeout == .seconds(90))
  }

  /// The lines of etc/kvnode.conf, uncommented: its defaults must be ours.
  @Test func hasTheDefaultsOfTheInstalledFile() throws {
    let text = """
      [Node]
      Listen=7776
      AdminListen=127.0.0.1:7777
      DataDirectory=/var/lib/kvnode
      Durability=full
      MinFree=2%
      [Limits]
      MaxConnections=1024
      MaxValueSize=0
      HeaderTimeout=10s
      IdleTimeout=60s
      ConnectTimeout=3s
      DrainTimeout=90s
      """
    let (configuration, warnings) = try Self.parse([text])
    #expect(configuration == Configuration(nodeName: "host"))
    #expect(warnings.isEmpty)
  }

  @Test(arguments: [
    ("[Node]\nName=node1", changed { $0.nodeName = "node1" }),
    ("[Node]\nListen=80", changed { $0.listen = [.port(80)] }),
    (
      "[Node]\nListen=80\nListen=127.0.0.1:81",
      changed { $0.listen = [.port(80), .address(.v4(0x7f00_0001), port: 81)] }
    ),
    ("[Node]\nListen=80\nListen=\nListen=81", changed { $0.listen = [.port(81)] }),
    ("[Node]\nListen=", changed { $0.listen = [] }),
    ("[Node]\nAdminListen=[::1]:1", changed { $0.adminListen = .address(.v6(1), port: 1) }),
    ("[Node]\nListen=7777\nAdminListen=7776", changed { ($0.listen, $0.adminListen) = ([.port(7777)], .port(7776)) }),
    ("[Node]\nDataDirectory=/srv/kv/", changed { $0.dataDirectory = "/srv/kv" }),
    ("[Node]\nDurability=relaxed", changed { $0.durability = .relaxed }),
    ("[Node]\nMinFree=10G", changed { $0.minimumFree = .bytes(10 << 30) }),
    (
      "[TLS]\nCertificate=/c\nPrivateKey=key\nMinimumVersion=1.3\nRequired=clients",
      changed {
        ($0.tls.certificateFile, $0.tls.privateKeyFile) = ("/c", "key")
        ($0.tls.minimumVersion, $0.tls.required) = (.tls13, .clients)
      }
    ),
    ("[Limits]\nMaxConnections=1", changed { $0.limits.connectionsMax = 1 }),
    ("[Limits]\nMaxValueSize=1T", changed { $0.limits.valueBytesMax = 1 << 40 }),
    ("[Limits]\nHeaderTimeout=1ms", changed { $0.limits.headerTimeout = .milliseconds(1) }),
    ("[Limits]\nIdleTimeout=24h", changed { $0.limits.idleTimeout = .seconds(86_400) }),
    ("[Limits]\nConnectTimeout=1min \\\n 30s", changed { $0.limits.connectTimeout = .seconds(90) }),
    ("[Limits]\nDrainTimeout=7", changed { $0.limits.drainTimeout = .seconds(7) }),
    ("[Limits]\n[Node]\nDurability=relaxed\nDurability=full", changed { _ in }),
    ("[Node]\nDurability=relaxed\nDurability=", changed { _ in }),
    ("[Node]\nName=x\nName=", changed { _ in }),
  ])
  func readsEachKey(text: String, configuration: Configuration) throws {
    let result = try Self.parse([text])
    #expect(result.configuration == configuration)
    #expect(result.warnings.isEmpty)
  }

  @Test func letsLaterFilesOverrideEarlierOnes() throws {
    let (configuration, _) = try Self.parse([
      "[Node]\nName=a\nListen=1\nMinFree=1G\n[Limits]\nIdleTimeout=1s\nDrainTimeout=1s",
      "[Limits]\nIdleTimeout=2s\n[Node]\nListen=2",
      "[Node]\nMinFree=\nName=c\n[Limits]\nDrainTimeout=3s",
    ])
    #expect(
      configuration
        == Self.changed {
          $0.nodeName = "c"
          $0.listen = [.port(1), .port(2)]
          $0.limits.idleTimeout = .seconds(2)
          $0.limits.drainTimeout = .seconds(3)
        })
  }

  @Test func startsEachFileOutsideOfASection() {
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(["[Node]\nName=a", "Name=b"]) }
    #expect(error?.description == "1.conf:1: Name=b: expected a section such as [Node] before it")
  }

  @Test func warnsOfWhatItDoesNotKnow() throws {
    let (configuration, warnings) = try Self.parse(
      [
        "[Node]\nNmae=a\nname=b\n[Nodes]\nName=c\nrubbish=1\n[Limits]\nNmae=d",
        "[X]\n[Node]\nMaxConnections=1",
      ])
    #expect(configuration == Configuration(nodeName: "host"))
    let node = "known are Name, Listen, AdminListen, DataDirectory, Durability, AccessLog, MinFree"
    let limits =
      "known are MaxConnections, MaxValueSize, MoveRate, HeaderTimeout, IdleTimeout, ConnectTimeout, DrainTimeout"
    #expect(
      warnings.map(\.description) == [
        "main:2: Nmae=a: unknown key in [Node], ignored; \(node)",
        "main:3: name=b: unknown key in [Node], ignored; \(node)",
        "main:4: [Nodes]: unknown section, ignored; known are [Node], [Cluster], [Peers], [Limits], [Access], [TLS], [HTTP]",
        "main:8: Nmae=d: unknown key in [Limits], ignored; \(limits)",
        "1.conf:1: [X]: unknown section, ignored; known are [Node], [Cluster], [Peers], [Limits], [Access], [TLS], [HTTP]",
        "1.conf:3: MaxConnections=1: unknown key in [Node], ignored; \(node)",
      ])
  }

  @Test(arguments: [
    ("Name=node 1", "expected a name of 1 to 64 letters, digits, '.', '_' or '-'"),
    (
      "Listen=localhost",
      "expected a port such as 7776, or an address and a port such as 127.0.0.1:7776 or [::1]:7776"
    ),
    ("AdminListen=0", "expected a port such as 7776, or an address and a port such as 127.0.0.1:7776 or [::1]:7776"),
    ("DataDirectory=kv", "expected an absolute path such as /var/lib/kvnode, without . and .."),
    ("Durability=Full", "expected full or relaxed"),
    ("Durability=full # really", "expected full or relaxed; a comment needs a line of its own"),
    ("MinFree=abc", "expected a percentage such as 2% or a size such as 10G"),
  ])
  func reportsBadValuesOfNode(line: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(["# first\n[Node]\n\(line)\n"]) }
    #expect(error?.description == "main:3: \(line): \(message)")
  }

  @Test(arguments: [
    ("Placement=Ranges", "expected ranges or rendezvous"),
    ("Replicas=0", "expected a number of copies from 1 to 7"),
    ("Replicas=8", "expected a number of copies from 1 to 7"),
    ("Reads=all", "expected majority or any"),
    ("Replicas=3", "expected at most 1, for there is 1 node"),
  ])
  func reportsBadValuesOfCluster(line: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(["# first\n[Cluster]\n\(line)\n"]) }
    #expect(error?.description == "main:3: \(line): \(message)")
  }

  @Test func readsWhatTheClusterIsToBe() throws {
    let configuration = try Self.parse([
      "[Cluster]\nReplicas=1\nPlacement=rendezvous\nReads=any\n[Limits]\nMoveRate=5M"
    ])
    .configuration
    #expect(configuration.cluster.placement == .rendezvous)
    #expect(configuration.cluster.reads == .any)
    #expect(try Self.parse([""]).configuration.cluster.reads == .majority)
    #expect(configuration.moveBytesPerSecondMax == 5 << 20)
    #expect(try Self.parse(["[Limits]\nMoveRate=0"]).configuration.moveBytesPerSecondMax == nil)
    #expect(try Self.parse([""]).configuration.moveBytesPerSecondMax == 100 << 20)
  }

  @Test(arguments: [
    ("MaxConnections=0", "expected a number of connections from 1 to 1000000"),
    ("MaxConnections=1000001", "expected a number of connections from 1 to 1000000"),
    ("MaxConnections=many", "expected a number of connections from 1 to 1000000"),
    ("MaxValueSize=-1", "expected a size such as 128M: a number of bytes, or a number and one of K, M, G, T"),
    ("MaxValueSize=8388608T", "expected a size of at most 9223372036854775807 bytes"),
    ("MoveRate=1000", "expected a rate of at least 1048576 bytes a second, or 0 for no limit"),
    ("MoveRate=fast", "expected a size such as 128M: a number of bytes, or a number and one of K, M, G, T"),
    ("HeaderTimeout=0", "expected a time span from 1ms to 24h"),
    ("IdleTimeout=24h 1ms", "expected a time span from 1ms to 24h"),
    ("ConnectTimeout=3 seconds", "expected a time span such as 10s or 1min 30s, in ms, s, min or h"),
    ("DrainTimeout=0s", "expected a time span from 1ms to 24h"),
  ])
  func reportsBadValuesOfLimits(line: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(["[Limits]\n\(line)\n"]) }
    #expect(error?.description == "main:2: \(line): \(message)")
  }

  @Test(arguments: [
    (
      "Listen=80\nListen=127.0.0.1:80",
      "main:3: Listen=127.0.0.1:80: expected an address that is not in use; main:2 listens on 80"
    ),
    ("Listen=7777", "main:2: Listen=7777: expected an address that is not in use; AdminListen= has 127.0.0.1:7777"),
    ("AdminListen=7776", "main:2: AdminListen=7776: expected an address that is not in use; Listen= has 7776"),
  ])
  func reportsAddressesInEachOthersWay(lines: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(["[Node]\n\(lines)"]) }
    #expect(error?.description == message)
  }

  @Test func doesNotCheckAStandInForARefusedValue() {
    let error = #expect(throws: ConfigurationError.self) {
      try Self.parse(["[Node]\nName=a b\nListen=7777\nAdminListen=x\n[Peers]\nnode1=192.0.2.11"])
    }
    #expect(error?.problems.map(\.line) == [2, 4])
  }

  @Test func reportsEverythingAtOnce() {
    let error = #expect(throws: ConfigurationError.self) {
      try Self.parse(["[Node]\nMinFree=abc\nrubbish\nMinFre=1%\n[Peers]\na=::1\n", "[Limits]\nIdleTimeout=0\n"])
    }
    #expect(
      error?.description == """
        main:2: MinFree=abc: expected a percentage such as 2% or a size such as 10G
        main:3: rubbish: expected Key=value, [Section] or a comment
        main:6: a=::1: expected an address such as 192.0.2.12:7776, [2001:db8::12]:7776 or node2.example.org:7776
        1.conf:2: IdleTimeout=0: expected a time span from 1ms to 24h
        main:6: [Peers] has a, but not this node, named host after its host; \
        set Name= in [Node] to one of them, or add host to [Peers] on every node
        """)
    #expect(error?.warnings.map(\.line) == [4])
  }

  @Test func refusesAValueEvenIfALaterOneWins() {
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(["[Node]\nMinFree=abc\nMinFree=2%"]) }
    #expect(error?.problems.map(\.line) == [2])
  }

  @Test func listsAtMostOneHundredProblems() {
    let rubbish = String(repeating: "rubbish\n", count: 1000)
    let error = #expect(throws: ConfigurationError.self) { try Self.parse([rubbish]) }
    #expect(error?.problems.count == 101)
    #expect(error?.problems.last?.description == "there are more than 100 problems; the others are not listed")
  }

  @Test func shortensLongLinesInMessages() {
    let value = String(repeating: "x", count: 1000)
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(["[Node]\nDurability=\(value)"]) }
    #expect(error?.description == "main:2: Durability=\(value.prefix(89))…: expected full or relaxed")
  }

  @Test(arguments: [
    (["[Node]"], "main: this host's name \"my host\" cannot name the node: expected"),
    ([], "this host's name \"my host\" cannot name the node: expected"),
  ])
  func reportsAHostNameThatCannotNameANode(texts: [String], beginning: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.parse(texts, hostName: "my host") }
    #expect(
      error?.description == beginning + " a name of 1 to 64 letters, digits, '.', '_' or '-'; set Name= in [Node]")
  }

  @Test func needsNoFitHostNameWhereANameIsSet() throws {
    #expect(try Self.parse(["[Node]\nName=a"], hostName: "my host").configuration.nodeName == "a")
  }
}
