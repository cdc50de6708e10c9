import KVCore
import KVWire
import Testing
import TestSupport

@testable import KVServer

/// A node, node1, and the owner that it relays to, node2, played by the test.
enum ScriptedOwner {
  /// What the owner is called in messages.
  static func name(_ nodes: TestNodes) -> String { nodes.nodes[0].current.value.configuration.peers[1].description }

  /// A key that the scripted owner owns.
  static func key() throws -> Key { try TestNodes.key(ownedBy: 1, of: 2) }

  /// Runs both scripts at once.
  static func run(
    configure: (_ index: Int, inout Limits) -> Void = { _, _ in },
    owner: @escaping @Sendable (borrowing ListeningPort, TestNodes) async throws -> Void,
    client: @escaping @Sendable (TestNodes, Key) async throws -> Void
  ) async throws {
    let port = try ListeningPort()
    let number = port.number
    let handoff = Handoff(port)
    try await TestNodes.run(1, others: [number], configure: configure) { nodes in
      async let owning: Void = {
        let port = handoff.take()
        try await owner(port, nodes)
      }()
      try await client(nodes, try key())
      try await owning
    }
  }
}

extension Wire {
  /// Reads a request's head.
  mutating func receiveHead() async throws -> String { try await receive(through: "\r\n\r\n") }

  /// Agrees to take a value.
  func invite() async throws { try await send("HTTP/1.1 100 Continue\r\n\r\n") }

  /// Answers with a status and a text.
  func answer(_ status: Int, _ text: String = "", _ fields: String...) async throws {
    let fields = fields.map { $0 + "\r\n" }.joined()
    let head = "HTTP/1.1 \(status) Because\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
    try await send("\(head)Content-Length: \(text.utf8.count)\r\n\(fields)\r\n\(text)")
  }
}
