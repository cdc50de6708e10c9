import KVCluster
import KVCore
import KVLinux

/// Whom kvctl asks: the peers of the configuration, the nodes named on the command line, or this host's node.
struct Nodes: Sendable {
  /// The configuration, or its defaults where none was read.
  let configuration: Configuration
  /// The nodes of `--node`.
  private let named: [Endpoint]
  /// What all of them are shown.
  private let token: String?

  init(_ configuration: Configuration, named addresses: [PeerAddress], token: String? = nil) {
    (self.configuration, self.token) = (configuration, token)
    named = addresses.map { Endpoint($0, token: token) }
  }

  /// This host's node alone.
  init(ownOnly configuration: Configuration, token: String?) {
    var configuration = configuration
    configuration.peers = []
    self.init(configuration, named: [], token: token)
  }

  /// Whether somebody named nodes, of which nothing else is known.
  var isNamed: Bool { !named.isEmpty }

  /// The cluster's nodes in order, where they are known; else the nodes that were named, or this host's own.
  var all: [Endpoint] {
    let peers = configuration.peers.map { Endpoint($0, token: token) }
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
    return [Endpoint(owner, token: token)] + named
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
      return Endpoint(PeerAddress(host: .address(address), port: port), token: token)
    case .port(let port), .address(_, let port):
      return Endpoint(PeerAddress(host: .address(loopback), port: port), token: token)
    case nil:
      return Endpoint(PeerAddress(host: .address(loopback)), token: token)
    }
  }
}

/// A node that can be asked: a peer of the configuration, or an address from the command line.
struct Endpoint: Equatable, Sendable, CustomStringConvertible {
  /// The node's name, where it is known.
  let name: String?
  let address: PeerAddress
  /// What it is shown, so that it knows who asks.
  let token: String?

  init(_ peer: Peer, token: String? = nil) { (name, address, self.token) = (peer.name, peer.address, token) }

  init(_ address: PeerAddress, token: String? = nil) { (name, self.address, self.token) = (nil, address, token) }

  /// `node2 (192.0.2.12:7776)`, or the address alone.
  var description: String { name.map { "\($0) (\(address))" } ?? "\(address)" }
}
