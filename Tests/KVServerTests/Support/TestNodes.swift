import Glibc
import KVCluster
import KVCore
import KVLinux
import KVWire
import Logging
import Testing
import TestSupport

@testable import KVServer

/// Real nodes of one cluster on the loopback, each with its own directory.
struct TestNodes: Sendable {
  let nodes: [Node]
  let ports: [UInt16]
  private let directories: [TemporaryDirectory]
  /// Threads that all nodes share: they live as long as the process.
  private static let rooms = Result { try Rooms() }

  /// Runs a test against so many nodes, named `node1` and so on, and stops them after it.
  ///
  /// `others` are peers behind the nodes in the list whose ports the test serves, or does not; `peers` replaces the
  /// whole list.
  static func run(
    _ count: Int = 1, others: [UInt16] = [], peers: [Peer]? = nil, durability: Durability = .relaxed,
    configure: (_ index: Int, inout Limits) -> Void = { _, _ in }, http: HTTPSettings = HTTPSettings(),
    _ test: @escaping @Sendable (TestNodes) async throws -> Void
  ) async throws {
    let sockets = try (0..<count).map { _ in Handoff(try ListeningPort()) }
    var listening: [ListeningSocket] = []
    var ports: [UInt16] = []
    for socket in sockets {
      let port = socket.take()
      ports.append(port.number)
      listening.append(ListeningSocket(.client, name: "test", socket: port.socket))
    }
    let directories = try (0..<count).map { _ in try TemporaryDirectory() }
    let peers = peers ?? Self.peers(ports + others)
    let rooms = try Self.rooms.get()
    let nodes = try (0..<count).map { index in
      var configuration = Configuration(nodeName: "node\(index + 1)")
      configuration.dataDirectory = directories[index].path + "/data"
      configuration.durability = durability
      configuration.minimumFree = .bytes(0)
      configuration.peers = peers.count == 1 ? [] : peers
      configuration.http = http
      configure(index, &configuration.limits)
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let node = try Node(configuration, version: "test", openFilesMax: 4096, logger: logger, rooms: rooms)
      // Nobody looks after a layout here: the nodes go by their lists.
      node.keeper.layouts.asked(node.current.value, silent: [], older: Set(peers.map(\.name)))
      return node
    }
    let running = TestNodes(nodes: nodes, ports: ports, directories: directories)
    try await withThrowingTaskGroup { group in
      for (node, socket) in zip(nodes, listening) {
        group.addTask(executorPreference: rooms.network) { await node.listen([socket]) }
      }
      defer { group.cancelAll() }
      try await Wire.test { try await test(running) }
    }
  }

  /// The peer list for nodes on these ports.
  static func peers(_ ports: [UInt16]) -> [Peer] {
    ports.enumerated().map { index, port in
      Peer(name: "node\(index + 1)", address: PeerAddress(host: .address(.v4(0x7f00_0001)), port: port))
    }
  }

  /// The files below a node's `values/` and `staging/`.
  func files(of index: Int) throws -> (values: [String], staged: [String]) {
    (try directories[index].files(in: "data/values"), try directories[index].files(in: "data/staging"))
  }

  /// Cuts a file below a node's `values/`, as a failing disk might.
  func truncate(_ name: String, of index: Int, to byteCount: Int) throws {
    let path = "\(directories[index].path)/data/values/\(name)"
    guard Glibc.truncate(path, off_t(byteCount)) == 0 else { throw SystemError(call: "truncate", code: errno) }
  }

  /// Waits, without a clock, until no node serves a connection.
  func untilIdle() async throws {
    for (index, node) in nodes.enumerated() {
      // Connections are accepted in order: once this one is answered, no earlier one waits to be accepted.
      _ = try await classic("?\n", on: index)
      while node.admission.servedCount > 0 {
        // What a pool keeps is a connection that another node serves.
        for other in nodes { other.peers.clear() }
        await Task.yield()
      }
    }
  }

  /// A key that one of so many nodes owns.
  static func key(ownedBy index: Int, of count: Int, salt: Int = 0) throws -> Key {
    let placement = Placement(nodeCount: count)
    for number in 0..<100_000 {
      let key = try Key(text: "key-\(salt)-\(number)")
      if placement.owner(of: key.slot) == index { return key }
    }
    preconditionFailure("no key for a node")
  }

  /// Sends a line and a value to a node, ends sending and returns all that comes back.
  func classic(
    _ line: String, _ value: [UInt8] = [], on index: Int = 0
  ) async throws -> (bytes: [UInt8], ending: Wire.Ending) {
    var wire = try await Wire.connect(ports[index])
    try await wire.send(Array(line.utf8) + value)
    // A connection that has been reset already has no half to close.
    try? wire.endSending()
    return try await wire.receiveAll()
  }

  /// `classic` for answers that are text and end cleanly.
  func ask(_ line: String, _ value: [UInt8] = [], on index: Int = 0) async throws -> String {
    let (bytes, ending) = try await classic(line, value, on: index)
    #expect(ending == .clean, "\(line)")
    return String(decoding: bytes, as: UTF8.self)
  }
}
