import KVCore
import Testing
import TestSupport

@testable import KVServer

/// What a node makes of an owner that keeps to the protocol.
@Suite(.hangLimit) struct RelayTests {
  /// The head that node1 sends for a request.
  private static func head(
    _ method: String, _ key: Key, _ nodes: TestNodes, _ port: borrowing ListeningPort, _ fields: String...
  ) -> String {
    "\(method) /\(key) HTTP/1.1\r\nHost: 127.0.0.1:\(port.number)\r\nKvnode-Relayed-By: node1\r\n"
      + "Kvnode-Peers: \(nodes.nodes[0].current.value.topology.fingerprint)\r\n" + fields.map { $0 + "\r\n" }.joined()
      + "\r\n"
  }

  @Test func aValueIsOfferedFirstAndFramed() async throws {
    try await ScriptedOwner.run { port, nodes in
      let key = try ScriptedOwner.key()
      var wire = try await port.accept()
      for fields in [[], ["Kvnode-Value-Length: 5"]] {
        let fields = (["Transfer-Encoding: chunked"] + fields + ["Expect: 100-continue"]).joined(separator: "\r\n")
        #expect(try await wire.receiveHead() == Self.head("PUT", key, nodes, port, fields))
        try await wire.invite()
        #expect(try await wire.receive(through: "0\r\n\r\n") == "5\r\nhello\r\n0\r\n\r\n")
        try await wire.answer(201)
      }
    } client: { nodes, key async throws in
      #expect(try await nodes.ask("PUT \(key)\n", Array("hello".utf8)) == "\(key)\n")
      #expect(try await nodes.ask("PUT \(key) 5\n", Array("hello".utf8)) == "\(key)\n")
    }
  }

  @Test func aConnectionIsUsedAgain() async throws {
    try await ScriptedOwner.run { port, nodes in
      let key = try ScriptedOwner.key()
      var wire = try await port.accept()
      for round in 0..<5 {
        #expect(try await wire.receiveHead() == Self.head("GET", key, nodes, port))
        try await wire.answer(200, "value \(round)")
        wire = try await port.accept()
        #expect(try await wire.receiveHead() == Self.head("DELETE", key, nodes, port))
        try await wire.answer(404, "no such key\n")
        #expect(try await wire.receiveHead() == Self.head("GET", key, nodes, port))
        try await wire.answer(503, "busy\n")
      }
      #expect(try port.isIdle())
    } client: { nodes, key async throws in
      for round in 0..<5 {
        #expect(try await nodes.ask("GET \(key)\n") == "value \(round)")
        #expect(try await nodes.ask("DEL \(key)\n") == "")
        #expect(try await nodes.ask("GET \(key)\n") == "ERROR: busy\n")
      }
    }
  }

  @Test func aConnectionThatTheOwnerClosesIsNotUsedAgain() async throws {
    try await ScriptedOwner.run { port, _ in
      for fields in ["Connection: close", "Other: field"] {
        var wire = try await port.accept()
        _ = try await wire.receiveHead()
        try await wire.answer(200, "value", fields)
      }
      var wire = try await port.accept()
      _ = try await wire.receiveHead()
      try await wire.answer(200, "value")
    } client: { nodes, key async throws in
      for _ in 0..<3 { #expect(try await nodes.ask("GET \(key)\n") == "value") }
    }
  }

  @Test(arguments: ["GET", "PUT"], [true, false])
  func aConnectionThatDiedInThePoolIsReplaced(verb: String, isReset: Bool) async throws {
    try await ScriptedOwner.run { port, nodes in
      var first = try await port.accept()
      _ = try await first.receiveHead()
      try await first.answer(404, "no such key\n")
      // The next request has been sent on this connection when the owner closes it.
      let lost = try await first.receiveHead()
      if isReset { first.reset() } else { first.close() }
      var second = try await port.accept()
      #expect(try await second.receiveHead() == lost)
      if verb == "PUT" {
        try await second.invite()
        #expect(try await second.receive(through: "0\r\n\r\n") == "5\r\nvalue\r\n0\r\n\r\n")
      }
      try await second.answer(verb == "GET" ? 200 : 204, verb == "GET" ? "value" : "")
      #expect(try port.isIdle())
    } client: { nodes, key async throws in
      #expect(try await nodes.ask("DEL \(key)\n") == "")
      let answer = try await nodes.ask("\(verb) \(key)\n", verb == "PUT" ? Array("value".utf8) : [])
      #expect(answer == (verb == "GET" ? "value" : "\(key)\n"))
    }
  }

  /// Repeated, it could answer 404 or 412 to its own success.
  @Test func aDeletionIsSentOnce() async throws {
    try await ScriptedOwner.run { port, nodes in
      let key = try ScriptedOwner.key()
      var first = try await port.accept()
      _ = try await first.receiveHead()
      try await first.answer(200, "value")
      var second = try await port.accept()
      #expect(try await second.receiveHead() == Self.head("DELETE", key, nodes, port))
      second.close()
      #expect(try await first.receiveAll().bytes == [])
      #expect(try port.isIdle())
    } client: { nodes, key async throws in
      #expect(try await nodes.ask("GET \(key)\n") == "value")
      #expect(
        try await nodes.ask("DEL \(key)\n")
          == "ERROR: DEL \(key): \(ScriptedOwner.name(nodes)) closed the connection without an answer\n")
      nodes.nodes[0].peers.clear()
    }
  }

  @Test func aDeadConnectionIsReplacedOnlyOnce() async throws {
    try await ScriptedOwner.run { port, _ in
      var first = try await port.accept()
      _ = try await first.receiveHead()
      try await first.answer(404, "no such key\n")
      _ = try await first.receiveHead()
      first.close()
      var second = try await port.accept()
      _ = try await second.receiveHead()
      second.close()
    } client: { nodes, key async throws in
      #expect(try await nodes.ask("DEL \(key)\n") == "")
      #expect(
        try await nodes.ask("GET \(key)\n")
          == "ERROR: GET \(key): \(ScriptedOwner.name(nodes)) closed the connection without an answer\n")
    }
  }

  @Test(arguments: [false, true])
  func anEarlyRefusalReachesAClientThatStillSends(isInvited: Bool) async throws {
    try await ScriptedOwner.run { port, _ in
      var wire = try await port.accept()
      _ = try await wire.receiveHead()
      if isInvited {
        try await wire.invite()
        _ = try await wire.receive(100_000)
      }
      try await wire.answer(507, "no space\nand more that nobody needs\n")
      // Whatever comes now is no request: the relay must not use the connection again.
      let rest = try await wire.receiveAll().bytes
      #expect(isInvited || rest == [])
      var next = try await port.accept()
      _ = try await next.receiveHead()
      try await next.answer(404)
    } client: { nodes, key async throws in
      var generator = SeededGenerator(round: 0, 30)
      let payload = Payload(byteCount: 30 << 20, &generator)
      #expect(try await nodes.ask("PUT \(key)\n", payload.bytes) == "ERROR: no space\n")
      for peers in nodes.nodes.map(\.peers) where !isInvited { peers.clear() }
      #expect(try await nodes.ask("GET \(key)\n") == "ERROR: \(ScriptedOwner.name(nodes)) answered with status 404\n")
      #expect(nodes.nodes[0].pipes.isWhole)
    }
  }

  @Test func aClientThatBreaksOffLeavesTheOwnerWithoutAnEnd() async throws {
    let rounds = Rounds.count(20)
    try await ScriptedOwner.run { port, _ in
      for round in 0..<rounds {
        var wire = try await port.accept()
        _ = try await wire.receiveHead()
        try await wire.invite()
        let text = ChunkedText(try await wire.receiveAll().bytes)
        #expect(!text.isComplete && text.isWellFormed, "round \(round)")
      }
    } client: { nodes, key async throws in
      for round in 0..<rounds {
        var generator = SeededGenerator(round: round, 31)
        let payload = Payload(byteCount: generator.size(through: 1 << 20) + 1, &generator)
        var wire = try await Wire.connect(nodes.ports[0])
        if round.isMultiple(of: 2) {
          try await wire.send("PUT \(key)\n")
          try await wire.send(payload, &generator)
          wire.reset()
        } else {
          try await wire.send("PUT \(key) \(payload.byteCount + 1)\n")
          try await wire.send(payload, &generator)
          try wire.endSending()
          #expect(try await wire.receiveText().hasPrefix("ERROR: PUT \(key): only \(payload.byteCount) of the"))
        }
      }
      try await nodes.untilIdle()
      #expect(nodes.nodes[0].pipes.isWhole)
    }
  }

  @Test func theOwnersLimitIsToldWhileTheClientStillSends() async throws {
    try await TestNodes.run(2, configure: { if $0 == 1 { $1.valueBytesMax = 1 << 20 } }) { nodes async throws in
      var generator = SeededGenerator(round: 0, 32)
      let payload = Payload(byteCount: 30 << 20, &generator)
      let key = try TestNodes.key(ownedBy: 1, of: 2)
      let refusal = "ERROR: PUT \(key): the value has more than 1048576 bytes (MaxValueSize=)\n"
      for _ in 0..<Rounds.count(3) {
        #expect(try await nodes.ask("PUT \(key)\n", payload.bytes) == refusal)
        #expect(try await nodes.ask("PUT \(key) \(payload.byteCount)\n", payload.bytes) == refusal)
      }
      #expect(try await nodes.ask("PUT \(key)\n", payload.bytes(at: 0, count: 1 << 20)) == "\(key)\n")
      try await nodes.untilIdle()
      #expect(try nodes.files(of: 1).staged == [])
      #expect(nodes.nodes[0].pipes.isWhole)
    }
  }

  @Test func nodesWithDifferentPeerListsRefuseEachOther() async throws {
    try await TestNodes.run(1) { owner in
      // The owner is a cluster of its own, and the relay takes it for node2.
      try await TestNodes.run(1, others: [owner.ports[0]]) { nodes async throws in
        let key = try ScriptedOwner.key()
        let (relays, owns) = (
          nodes.nodes[0].current.value.topology.fingerprint, owner.nodes[0].current.value.topology.fingerprint
        )
        let disagreement =
          "\(key): node1 and node1 have different peer lists (fingerprints \(relays) and \(owns)); "
          + "make [Peers] the same on every node\n"
        for verb in ["PUT", "GET", "DEL"] {
          #expect(try await nodes.ask("\(verb) \(key)\n") == "ERROR: \(verb) \(disagreement)")
        }
        #expect(try owner.files(of: 0) == ([], []))
      }
    }
  }
}
