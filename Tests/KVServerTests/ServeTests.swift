import Testing
import TestSupport

@testable import KVServer

@Suite(.hangLimit) struct ServeTests {
  private static let unsupported = "ERROR: Unsupported operation (only PUT/GET/DEL supported)\n"

  @Test func putsGetsAndDeletes() async throws {
    try await TestNodes.run(durability: .full) { nodes async throws in
      #expect(try await nodes.ask("PUT hashme\n", Array("hello\n".utf8)) == "hashme\n")
      #expect(try await nodes.ask("GET hashme\n") == "hello\n")
      #expect(try await nodes.ask("DEL hashme\n") == "")
      #expect(try await nodes.ask("GET hashme\n") == "ERROR: GET hashme: no such key\n")
      #expect(try await nodes.ask("DEL hashme\n") == "")
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }

  @Test(arguments: [
    ("FROB k\n", unsupported), ("\n", unsupported), ("get k\n", unsupported), ("PUTk\n", unsupported),
    ("PUT\n", "ERROR: PUT needs a key\n"), ("GET \n", "ERROR: GET needs a key\n"),
    ("GET a b\n", "ERROR: GET a: unexpected 'b' after the key\n"),
    ("PUT a 1 x\n", "ERROR: PUT a: unexpected 'x' after the key\n"),
    ("PUT a -1\n", "ERROR: PUT a: '-1' is no length in bytes\n"),
    ("PUT a 99999999999999999999\n", "ERROR: PUT a: '99999999999999999999' is no length in bytes\n"),
    ("GET \(String(repeating: "k", count: 1025))\n", "ERROR: GET: the key has 1025 bytes, the most is 1024\n"),
    ("GET a\u{1b}[31m\n", "ERROR: GET a\\x1b[31m: no such key\n"),
    ("GET k", "ERROR: the connection ended inside the request\n"),
    (String(repeating: "x", count: 4096), "ERROR: the first line is longer than 4096 bytes\n"),
    ("GET \(String(repeating: " ", count: 5000))k\n", "ERROR: the first line is longer than 4096 bytes\n"),
    ("GET k\r\n", "ERROR: GET k: no such key\n"), ("GET  k \n", "ERROR: GET k: no such key\n"), ("", ""),
  ])
  func answersBadRequestsInOneLine(line: String, expected: String) async throws {
    try await TestNodes.run { nodes async throws in
      #expect(try await nodes.ask(line) == expected)
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }

  @Test func theLongestLineIsServed() async throws {
    try await TestNodes.run { nodes async throws in
      let line = "GET " + String(repeating: " ", count: 4096 - 4 - 2) + "k\n"
      #expect(line.utf8.count == 4096)
      #expect(try await nodes.ask(line) == "ERROR: GET k: no such key\n")
      #expect(try await nodes.ask(" " + line) == "ERROR: the first line is longer than 4096 bytes\n")
    }
  }

  @Test func theFirstLineMayComeByteByByte() async throws {
    try await TestNodes.run { nodes async throws in
      var wire = try await Wire.connect(nodes.ports[0])
      for byte in "PUT slow 5\r\nhello".utf8 {
        try await wire.send([byte])
        await Task.yield()
      }
      try wire.endSending()
      #expect(try await wire.receiveText() == "slow\n")
      #expect(try await nodes.ask("GET slow\n") == "hello")
    }
  }

  @Test func theFirstLineMayComeWithMegabytesOfValue() async throws {
    try await TestNodes.run { nodes async throws in
      var generator = SeededGenerator(round: 0, 20)
      let payload = Payload(byteCount: 9 << 20, &generator)
      #expect(try await nodes.ask("PUT large\n", payload.bytes) == "large\n")
      let (bytes, ending) = try await nodes.classic("GET large\n")
      #expect(ending == .clean)
      #expect(payload.equals(bytes))
    }
  }

  @Test(arguments: [nil, 0, 3, 4] as [Int?])
  func anEmptyOrStatedValueIsStoredAsItIs(stated: Int?) async throws {
    try await TestNodes.run { nodes async throws in
      let value = [UInt8](repeating: 0x0a, count: stated ?? 0)
      #expect(try await nodes.ask("PUT k \(stated.map(String.init) ?? "")\n", value) == "k\n")
      #expect(try await nodes.classic("GET k\n").bytes == value)
    }
  }

  @Test func aWrongLengthStoresNothing() async throws {
    try await TestNodes.run { nodes async throws in
      #expect(try await nodes.ask("PUT k\n", [1]) == "k\n")
      #expect(try await nodes.ask("PUT k 10\n", [1, 2, 3]) == "ERROR: PUT k: only 3 of the stated 10 bytes arrived\n")
      #expect(try await nodes.ask("PUT k 2\n", [1, 2, 3]) == "ERROR: PUT k: more than the stated 2 bytes arrived\n")
      #expect(try await nodes.ask("PUT k 0\n", [9]) == "ERROR: PUT k: more than the stated 0 bytes arrived\n")
      #expect(try await nodes.classic("GET k\n").bytes == [1])
      #expect(try nodes.files(of: 0).staged == [])
    }
  }

  @Test func aClientThatStillSendsLearnsWhyItWasRefused() async throws {
    try await TestNodes.run(configure: { $1.valueBytesMax = 100_000 }) { nodes async throws in
      var generator = SeededGenerator(round: 0, 21)
      let payload = Payload(byteCount: 30 << 20, &generator)
      #expect(
        try await nodes.ask("PUT k\n", payload.bytes)
          == "ERROR: PUT k: the value has more than 100000 bytes (MaxValueSize=)\n")
      #expect(
        try await nodes.ask("PUT k \(payload.byteCount)\n", payload.bytes)
          == "ERROR: PUT k: the value has more than 100000 bytes (MaxValueSize=)\n")
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }

  @Test func aResetNeverCommits() async throws {
    try await TestNodes.run { nodes async throws in
      for round in 0..<Rounds.count(30) {
        var generator = SeededGenerator(round: round, 22)
        let payload = Payload(byteCount: generator.size(through: 2 << 20) + 1, &generator)
        let wire = try await Wire.connect(nodes.ports[0])
        try await wire.send("PUT k\n")
        try await wire.send(payload, &generator)
        wire.reset()
      }
      try await nodes.untilIdle()
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }

  @Test func aConnectionPastTheLimitIsTold() async throws {
    try await TestNodes.run(configure: { $1.connectionsMax = 2 }) { nodes async throws in
      var first = try await Wire.connect(nodes.ports[0])
      var second = try await Wire.connect(nodes.ports[0])
      // Both are being served once they have been answered in part.
      try await first.send("PUT a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
      #expect(try await first.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 400"))
      try await second.send("PUT /b HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
      #expect(try await second.receive(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      let refusal = "node1: too many connections, try again later (MaxConnections=)\n"
      #expect(try await nodes.ask("GET k\n") == "ERROR: \(refusal)")
      let overHTTP = try await nodes.ask("GET /k HTTP/1.1\r\nHost: k\r\n\r\n")
      #expect(overHTTP.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
      #expect(overHTTP.hasSuffix("\r\n\r\n\(refusal)"))
      first.reset()
      try await second.send("x")
      #expect(try await second.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 201 Created\r\n"))
      second.reset()
      try await nodes.untilIdle()
      #expect(try await nodes.ask("GET k\n") == "ERROR: GET k: no such key\n")
    }
  }

  @Test func aHeadThatDoesNotComeTimesOut() async throws {
    try await TestNodes.run(configure: { $1.headerTimeout = .milliseconds(600) }) { nodes async throws in
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send("GET k")
      #expect(try await wire.receiveText() == "ERROR: no complete request within 0.6 seconds (HeaderTimeout=)\n")
    }
  }

  @Test func aValueThatDoesNotComeTimesOut() async throws {
    try await TestNodes.run(configure: { $1.idleTimeout = .milliseconds(600) }) { nodes async throws in
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send("PUT k\nabc")
      #expect(try await wire.receiveText() == "ERROR: PUT k: no byte came for too long (IdleTimeout=)\n")
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }

  @Test func aClientThatTakesNothingIsReset() async throws {
    try await TestNodes.run(configure: { $1.idleTimeout = .seconds(5) }) { nodes async throws in
      var generator = SeededGenerator(round: 0, 23)
      let payload = Payload(byteCount: 24 << 20, &generator)
      var put = try await Wire.connect(nodes.ports[0])
      try await put.send(Array("PUT k\n".utf8) + payload.bytes)
      try put.endSending()
      #expect(try await put.receiveText() == "k\n")
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send("GET k\n")
      let start = try await wire.receive(1)
      try await nodes.untilIdle()
      let (rest, ending) = try await wire.receiveAll()
      let bytes = start + rest
      #expect(ending == .reset)
      #expect(bytes.count < payload.byteCount)
      #expect(payload.matches(bytes[...], at: 0))
    }
  }

  @Test func aValueOnDiskThatIsTruncatedIsNotServedAsWhole() async throws {
    try await TestNodes.run { nodes async throws in
      #expect(try await nodes.ask("PUT hashme\n", [1, 2, 3]) == "hashme\n")
      try nodes.truncate("12/hashme", of: 0, to: 2)
      #expect(
        try await nodes.ask("GET hashme\n")
          == "ERROR: GET hashme: the stored value is damaged: the file has 2 of 3 bytes\n")
    }
  }
}
