import KVCore
import Testing
import TestSupport

@testable import KVServer

/// What a node tells a client when the owner does not keep to the protocol, or to anything.
@Suite(.hangLimit) struct RelayFailureTests {
  @Test(arguments: ["GET", "DEL", "PUT"])
  func anOwnerThatIsNotThereIsNamed(verb: String) async throws {
    let unused = try ListeningPort().number
    try await TestNodes.run(1, others: [unused]) { nodes async throws in
      let key = try ScriptedOwner.key()
      #expect(
        try await nodes.ask("\(verb) \(key)\n", verb == "PUT" ? [1, 2, 3] : [])
          == "ERROR: \(verb) \(key): node2 (127.0.0.1:\(unused)) cannot be reached: connection refused\n")
    }
  }

  @Test(arguments: ["GET", "DEL", "PUT"], ["hello\r\n\r\n", "HTTP/1.1 999 No\r\n\r\n", "HTTP/1.1 302 Found\r\n\r\n"])
  func anOwnerThatTalksNonsenseIsNamed(verb: String, answer: String) async throws {
    try await ScriptedOwner.run { port, _ in
      var wire = try await port.accept()
      _ = try await wire.receiveHead()
      try await wire.send(answer)
      // An answer without a length would end here.
      try wire.endSending()
      _ = try await wire.receiveAll()
    } client: { nodes, key async throws in
      let line = try await nodes.ask("\(verb) \(key)\n")
      #expect(line.hasPrefix("ERROR: \(verb) \(key): \(ScriptedOwner.name(nodes)) \(Self.nonsense)"))
      #expect(line.count(where: { $0 == "\n" }) == 1)
    }
  }

  private static let date = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
  private static let nonsense = "answered with something that is not the protocol: "

  @Test(arguments: [
    ("", "closed the connection without an answer"),
    ("HTTP/1.1 200", nonsense + "the answer breaks off in its head"),
    ("HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nsorry", nonsense + "the answer breaks off"),
    ("HTTP/1.1 200 OK\r\n\r\nvalue", nonsense + "a value without Last-Modified"),
    // What a node says without reading anything when it has too many connections, and what is a line of nothing.
    ("ERROR: too many connections\n", "takes no request: too many connections"),
    ("ERROR: \u{1B}\n", "takes no request: \\x1b"),
    ("ERROR\n", nonsense + "a line of the head ends in LF without CR"),
  ])
  func anOwnerThatEndsWithoutAnAnswerIsNamed(answer: String, expected: String) async throws {
    try await ScriptedOwner.run { port, _ in
      var wire = try await port.accept()
      _ = try await wire.receiveHead()
      try await wire.send(answer)
      try wire.endSending()
      _ = try await wire.receiveAll()
    } client: { nodes, key async throws in
      let name = ScriptedOwner.name(nodes)
      #expect(try await nodes.ask("GET \(key)\n") == "ERROR: GET \(key): \(name) \(expected)\n")
    }
  }

  @Test(arguments: ["GET", "PUT"])
  func anOwnerThatHangsIsNamed(verb: String) async throws {
    try await ScriptedOwner.run(configure: { $1.idleTimeout = .seconds(2) }) { port, _ in
      var wire = try await port.accept()
      _ = try await wire.receiveHead()
      if verb == "PUT" {
        try await wire.invite()
        _ = try await wire.receive(through: "0\r\n\r\n")
      }
      _ = try await wire.receiveAll()
    } client: { nodes, key async throws in
      #expect(
        try await nodes.ask("\(verb) \(key)\n", verb == "PUT" ? [1] : [])
          == "ERROR: \(verb) \(key): \(ScriptedOwner.name(nodes)) did not answer in time (IdleTimeout=)\n")
    }
  }

  @Test(arguments: [true, false])
  func anOwnerThatDiesAmidAnUploadIsNamed(isReset: Bool) async throws {
    let rounds = Rounds.count(10)
    try await ScriptedOwner.run { port, _ in
      for round in 0..<rounds {
        var generator = SeededGenerator(round: round, 40)
        var wire = try await port.accept()
        _ = try await wire.receiveHead()
        try await wire.invite()
        _ = try await wire.receive(generator.size(through: 4 << 20) + 1)
        if isReset { wire.reset() } else { wire.close() }
      }
    } client: { nodes, key async throws in
      var generator = SeededGenerator(round: 0, 41)
      let payload = Payload(byteCount: 24 << 20, &generator)
      for _ in 0..<rounds {
        let line = try await nodes.ask("PUT \(key)\n", payload.bytes)
        let subject = "ERROR: PUT \(key): \(ScriptedOwner.name(nodes)) "
        let allowed = ["closed the connection without an answer", "failed: connection reset by peer"]
        #expect(allowed.map { subject + $0 + "\n" }.contains(line), "\(line)")
      }
      #expect(nodes.nodes[0].pipes.isWhole)
    }
  }

  @Test(arguments: ["HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n"])
  func successBeforeTheEndOfTheValueIsNoSuccess(answer: String) async throws {
    try await ScriptedOwner.run { port, _ in
      var wire = try await port.accept()
      _ = try await wire.receiveHead()
      try await wire.invite()
      _ = try await wire.receive(1000)
      try await wire.send(answer)
      _ = try await wire.receiveAll()
    } client: { nodes, key async throws in
      var wire = try await Wire.connect(nodes.ports[0])
      var generator = SeededGenerator(round: 0, 42)
      try await wire.send("PUT \(key)\n")
      try await wire.send(Payload(byteCount: 2000, &generator), &generator)
      let line = try await wire.receiveText()
      #expect(line.hasPrefix("ERROR: PUT \(key): \(ScriptedOwner.name(nodes)) "), "\(line)")
    }
  }

  @Test func successWithoutTheValueIsNoSuccess() async throws {
    try await ScriptedOwner.run { port, _ in
      var wire = try await port.accept()
      _ = try await wire.receiveHead()
      try await wire.answer(201)
      _ = try await wire.receiveAll()
    } client: { nodes, key async throws in
      let line = try await nodes.ask("PUT \(key)\n", [1, 2, 3])
      #expect(line.hasPrefix("ERROR: PUT \(key): \(ScriptedOwner.name(nodes)) "), "\(line)")
    }
  }

  /// How an owner may leave in the middle of a value.
  enum Leaving: CaseIterable {
    case closes
    case resets
    case hangs
  }

  @Test(arguments: Leaving.allCases)
  func aValueThatBreaksOffEndsInAReset(leaving: Leaving) async throws {
    let rounds = leaving == .hangs ? 1 : Rounds.count(20)
    let payloads = (0..<rounds).map { round in
      var generator = SeededGenerator(round: round, 43)
      return Payload(byteCount: generator.size(through: 2 << 20) + 1, &generator)
    }
    try await ScriptedOwner.run(configure: { $1.idleTimeout = .seconds(leaving == .hangs ? 2 : 60) }) {
      port, _ in
      for payload in payloads {
        var wire = try await port.accept()
        _ = try await wire.receiveHead()
        var generator = SeededGenerator(round: payload.byteCount, 44)
        try await wire.send("HTTP/1.1 200 OK\r\n\(Self.date)Content-Length: \(payload.byteCount + 1)\r\n\r\n")
        try await wire.send(payload, &generator)
        switch leaving {
        case .closes: wire.close()
        case .resets: wire.reset()
        case .hangs: _ = try await wire.receiveAll()
        }
      }
    } client: { nodes, key async throws in
      for payload in payloads {
        let (bytes, ending) = try await nodes.classic("GET \(key)\n")
        #expect(ending == .reset)
        #expect(payload.matches(bytes[...], at: 0))
      }
      try await nodes.untilIdle()
      #expect(nodes.nodes[0].pipes.isWhole)
    }
  }

  @Test func aNameThatDoesNotResolveIsNamed() async throws {
    let peers = [
      Peer(name: "node1", address: PeerAddress(host: .address(.v4(0x7f00_0001)), port: 1)),
      Peer(name: "node2", address: PeerAddress(host: .name("node2.invalid"), port: 7776)),
    ]
    try await TestNodes.run(peers: peers) { nodes async throws in
      let key = try ScriptedOwner.key()
      let line = try await nodes.ask("GET \(key)\n")
      #expect(
        line.hasPrefix(
          "ERROR: GET \(key): node2 (node2.invalid:7776) cannot be reached: cannot resolve 'node2.invalid': "))
    }
  }

  @Test func theOwnersWordsAreMadeFitForALine() async throws {
    try await ScriptedOwner.run { port, _ in
      var wire = try await port.accept()
      for text in ["a\u{1b}[31mb\r\nsecond\n", String(repeating: "x", count: 8000), ""] {
        _ = try await wire.receiveHead()
        try await wire.answer(500, text)
      }
      _ = try await wire.receiveHead()
      try await wire.answer(500, String(repeating: "y", count: 100_000))
      _ = try await wire.receiveAll()
    } client: { nodes, key async throws in
      #expect(try await nodes.ask("GET \(key)\n") == "ERROR: a\\x1b[31mb\n")
      #expect(try await nodes.ask("GET \(key)\n") == "ERROR: \(String(repeating: "x", count: 8000))\n")
      #expect(try await nodes.ask("GET \(key)\n") == "ERROR: \(ScriptedOwner.name(nodes)) answered with status 500\n")
      #expect(try await nodes.ask("GET \(key)\n").hasPrefix("ERROR: yyyy"))
    }
  }
}
