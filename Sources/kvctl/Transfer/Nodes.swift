import KVCluster
import KVCore
import KVLinux

/// Whom kvctl asks: the peers of the configuration, the nodes named on the command line, or this host's node.
struct Nodes: Sendable {
  /// The configuration, or its defaults where none was read.
  let configuration: Configuration
  /// The nodes of `--node`.
  private let named: [Endpoint]
  /// How all others are spoken to.
  let manner: Endpoint.Manner

  init(_ configuration: Configuration, named addresses: [NodeAddress], manner: Endpoint.Manner = .init()) {
    (self.configuration, self.manner) = (configuration, manner)
    named = addresses.map { Endpoint($0.address, manner.encrypting($0.isEncrypted)) }
  }

  /// This host's node alone.
  init(ownOnly configuration: Configuration, manner: Endpoint.Manner) {
    var configuration = configuration
    configuration.peers = []
    self.init(configuration, named: [], manner: manner)
  }

  /// Whether somebody named nodes, of which nothing else is known.
  var isNamed: Bool { !named.isEmpty }

  /// The cluster's nodes in order, where they are known; else the nodes that were named, or this host's own.
  var all: [Endpoint] {
    let peers = configuration.peers.map { Endpoint($0, manner) }
    if !peers.isEmpty { return peers }
    return named.isEmpty ? [ownNode] : named
  }

  /// The fingerprint of the peer list, where it is known.
  var fingerprint: String? { configuration.peers.isEmpty ? nil : topology.fingerprint }

  /// What follows from the configuration's peers.
  var topology: Topology {
    Topology(nodeName: configuration.nodeName, peers: configuration.peers, digest: MD5.digest)
  }

  /// The owner of a key, where the peers are known.
  func owner(of key: Key) -> Peer? {
    topology.owner(of: key.slot)
  }

  /// The nodes to ask about a key, the next where one cannot be reached. All but the owner relay.
  func candidates(for key: Key) -> [Endpoint] {
    guard let owner = owner(of: key) else { return all }
    return [Endpoint(owner, manner)] + named
  }

  /// The nodes to ask about the cluster, the next where one cannot be reached.
  var candidates: [Endpoint] { configuration.peers.isEmpty ? all : named + all }

  /// Asks all nodes at once. The answers come in the order of the nodes.
  func each<Answer: Sendable>(_ ask: @escaping @Sendable (Endpoint) async -> Answer) async -> [Answer] {
    let (endpoints, executor) = (all, IOExecutor.current)
    return await withTaskGroup(of: (Int, Answer).self) { group in
      for (index, endpoint) in endpoints.enumerated() {
        group.addTask(executorPreference: executor) { (index, await ask(endpoint)) }
      }
      var answers: [Int: Answer] = [:]
      for await (index, answer) in group { answers[index] = answer }
      return endpoints.indices.compactMap { answers[$0] }
    }
  }

  /// The node of this host, by its `Listen=`.
  private var ownNode: Endpoint {
    let loopback = IPAddress.v4(0x7f00_0001)
    switch configuration.listen.first {
    case .address(let address, let port) where !address.isUnspecified:
      return Endpoint(PeerAddress(host: .address(address), port: port), manner)
    case .port(let port), .address(_, let port):
      return Endpoint(PeerAddress(host: .address(loopback), port: port), manner)
    case nil:
      return Endpoint(PeerAddress(host: .address(loopback)), manner)
    }
  }
}

/// A node as somebody names it: `host:port`, `https://host:port` or `http://host:port`.
struct NodeAddress: Sendable, Equatable {
  let address: PeerAddress
  /// Whether the connection to it is encrypted; nil where that was not said.
  let isEncrypted: Bool?

  init(_ address: PeerAddress, isEncrypted: Bool? = nil) { (self.address, self.isEncrypted) = (address, isEncrypted) }

  init(parsing text: String) throws(SettingError) {
    let schemes = [("https://", true), ("http://", false)]
    guard let (scheme, isEncrypted) = schemes.first(where: { text.lowercased().hasPrefix($0.0) }) else {
      self.init(try PeerAddress(parsing: text))
      return
    }
    let rest = text.dropFirst(scheme.count)
    self.init(try PeerAddress(parsing: String(rest.hasSuffix("/") ? rest.dropLast() : rest)), isEncrypted: isEncrypted)
  }
}

/// A node that can be asked: a peer of the configuration, or an address from the command line.
struct Endpoint: Equatable, Sendable, CustomStringConvertible {
  /// How a node is spoken to.
  struct Manner: Sendable {
    /// What it is shown, so that it knows who asks.
    var token: String?
    /// What encrypted connections are made with, where there can be any.
    var tls: TLSContext?
    /// Whether connections are encrypted of which nothing else is said.
    var isEncrypted = false

    /// The same with a word on that.
    func encrypting(_ isEncrypted: Bool?) -> Manner {
      var manner = self
      manner.isEncrypted = isEncrypted ?? self.isEncrypted
      return manner
    }
  }

  /// The node's name, where it is known.
  let name: String?
  let address: PeerAddress
  private let manner: Manner

  init(_ peer: Peer, _ manner: Manner = .init()) { (name, address, self.manner) = (peer.name, peer.address, manner) }

  init(_ address: PeerAddress, _ manner: Manner = .init()) {
    (name, self.address, self.manner) = (nil, address, manner)
  }

  /// What it is shown, so that it knows who asks.
  var token: String? { manner.token }

  /// What the connection to it is encrypted with; nil where it is not.
  var tls: TLSContext? { manner.isEncrypted ? manner.tls : nil }

  /// Whether both are the same node.
  static func == (one: Endpoint, other: Endpoint) -> Bool { (one.name, one.address) == (other.name, other.address) }

  /// `node2 (192.0.2.12:7776)`, or the address alone.
  var description: String { name.map { "\($0) (\(address))" } ?? "\(address)" }
}
