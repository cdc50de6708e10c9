import KVCluster
import KVCore
import KVWire
import TestSupport
import Testing

@testable import KVServer

@Suite(.hangLimit) struct PeerLookTests {
  /// Node 1 looks at node 2.
  private static func look(_ nodes: TestNodes) async -> Peer {
    let node = nodes.nodes[0]
    let cluster = node.current.value
    let peer = cluster.configuration.peers[1]
    await PeerLook(peers: node.peers, current: node.current, network: Wire.executor).look(at: [peer], cluster)
    return peer
  }

  private static func metrics(_ nodes: TestNodes) -> String {
    var text = PrometheusText()
    nodes.nodes[0].peers.metrics.write(to: &text, peers: ["node1", "node2"])
    return text.text
  }

  @Test func aNodeThatAnswersIsUpAndKeepsNoConnection() async throws {
    try await TestNodes.run(2) { nodes in
      #expect(!Self.metrics(nodes).contains("kvnode_peer_up{"))
      let peer = await Self.look(nodes)
      #expect(Self.metrics(nodes).contains("kvnode_peer_up{peer=\"node2\"} 1"))
      #expect(nodes.nodes[0].peers.watch.heardAt(peer) != nil)
      if nodes.nodes[0].peers.pool.take(peer.address) != nil { Issue.record("the connection was kept") }
      try await nodes.untilIdle()
    }
  }

  @Test func oneThatCannotBeReachedIsDownAndFailedNoRequest() async throws {
    // Nobody listens there any more.
    let port = try ListeningPort().number
    try await TestNodes.run(1, others: [port]) { nodes in
      let peer = await Self.look(nodes)
      let metrics = Self.metrics(nodes)
      #expect(metrics.contains("kvnode_peer_up{peer=\"node2\"} 0"))
      #expect(!metrics.contains("kvnode_relay_failures_total{"))
      // It has reacted: the next request goes to it.
      #expect(nodes.nodes[0].peers.watch.verdict(peer) == .ask)
    }
  }

  @Test func oneThatIsSilentBecomesSuspect() async throws {
    try await ScriptedOwner.run(
      configure: { $1.idleTimeout = .milliseconds(50) },
      owner: { port, _ in
        for _ in 0..<PeerSuspicion.failureCountMax {
          var wire = try await port.accept()
          _ = try await wire.receiveAll()
        }
      },
      client: { nodes, _ in
        for _ in 0..<PeerSuspicion.failureCountMax { _ = await Self.look(nodes) }
        let peer = nodes.nodes[0].current.value.configuration.peers[1]
        guard case .failFast = nodes.nodes[0].peers.watch.verdict(peer) else {
          Issue.record("a silent node is not suspect")
          return
        }
        #expect(Self.metrics(nodes).contains("kvnode_peer_up{peer=\"node2\"} 0"))
      })
  }

  @Test func anErrorIsAnAnswerToo() async throws {
    try await ScriptedOwner.run(
      owner: { port, _ in
        var wire = try await port.accept()
        let head = try await wire.receiveHead()
        #expect(head.hasPrefix("HEAD / HTTP/1.1\r\n"))
        #expect(head.contains("\r\nKvnode-Relayed-By: node1\r\n"))
        try await wire.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        _ = try await wire.receiveAll()
      },
      client: { nodes, _ in
        _ = await Self.look(nodes)
        #expect(Self.metrics(nodes).contains("kvnode_peer_up{peer=\"node2\"} 1"))
      })
  }
}
