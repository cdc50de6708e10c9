import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVServer

/// What a node answers to another one, byte by byte on the wire.
@Suite(.hangLimit) struct PeerProtocolTests {
  /// The head of a request as node2 relays it.
  private static func head(_ method: String, _ key: Key, _ fingerprint: String, _ fields: String...) -> String {
    "\(method) /\(key) HTTP/1.1\r\nHost: node1\r\nKvnode-Relayed-By: node2\r\nKvnode-Peers: \(fingerprint)\r\n"
      + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  /// Runs a test against node1 of two; the other one is a port where nobody may knock.
  private static func run(
    configure: (_ index: Int, inout Limits) -> Void = { _, _ in },
    _ test: @escaping @Sendable (TestNodes, _ fingerprint: String) async throws -> Void
  ) async throws {
    let other = try ListeningPort()
    try await TestNodes.run(1, others: [other.number], configure: configure) { nodes in
      try await test(nodes, nodes.nodes[0].current.value.topology.fingerprint)
    }
    #expect(try other.isIdle(), "a relayed request was relayed on")
  }

  @Test func anOwnerThatAgreesInvitesTheValue() async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send(Self.head("PUT", key, fingerprint, "Content-Length: 5", "Expect: 100-continue"))
      #expect(try await wire.receive(through: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      try await wire.send("hello")
      let answer = try await wire.receiveAnswer()
      #expect(answer.status == 201)
      #expect(answer["ETag"] == "\"\(Checksum.of(Array("hello".utf8)).entityTag)\"")
      #expect(try await nodes.ask("GET \(key)\n") == "hello")
    }
  }

  @Test func aForeignFingerprintIsRefusedBeforeTheValueComes() async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send(Self.head("PUT", key, "feedfacefeedface", "Content-Length: 5", "Expect: 100-continue"))
      let answer = try await wire.receiveAnswer()
      #expect(answer.status == 421)
      #expect(answer.text.contains("(fingerprints feedfacefeedface and \(fingerprint))"))
      #expect(answer.text.hasPrefix("PUT \(key): node2 and node1 have different peer lists"))
      #expect(answer.text.hasSuffix("\n"))
      #expect(answer["Connection"] == "close")
      #expect(try await wire.receiveText() == "")
    }
  }

  @Test(arguments: ["GET", "DELETE", "PUT"])
  func aSlotOfAnotherNodeIsRefusedAndNotRelayedOn(method: String) async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 1, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      let fields = method == "PUT" ? ["Transfer-Encoding: chunked", "Expect: 100-continue"] : []
      try await wire.send(
        Self.head(method, key, fingerprint, fields.isEmpty ? "Accept: */*" : fields.joined(separator: "\r\n")))
      let answer = try await wire.receiveAnswer()
      #expect(answer.status == 421)
      #expect(answer.text.contains("node2 takes node1 for the owner, but it is node2"))
      #expect(answer["Connection"] == (method == "PUT" ? "close" : nil))
    }
  }

  @Test func aValueThatIsTooLargeIsRefusedBeforeItComes() async throws {
    try await Self.run(configure: { $1.valueBytesMax = 4 }) { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      for field in ["Content-Length: 5", "Transfer-Encoding: chunked\r\nKvnode-Value-Length: 5"] {
        var wire = try await Wire.connect(nodes.ports[0])
        try await wire.send(Self.head("PUT", key, fingerprint, field, "Expect: 100-continue"))
        let answer = try await wire.receiveAnswer()
        #expect(answer.status == 413)
        #expect(answer.text == "PUT \(key): the value has more than 4 bytes (MaxValueSize=)\n")
      }
    }
  }

  @Test func aConnectionCarriesManyRequests() async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      for round in 0..<20 {
        let value = String(repeating: "v", count: round)
        try await wire.send(Self.head("PUT", key, fingerprint, "Content-Length: \(round)") + value)
        #expect(try await wire.receiveAnswer().status == (round == 0 ? 201 : 204))
        try await wire.send(Self.head("GET", key, fingerprint))
        let answer = try await wire.receiveAnswer()
        #expect(answer.status == 200)
        #expect(answer.text == value)
      }
      try await wire.send(Self.head("DELETE", key, fingerprint))
      #expect(try await wire.receiveAnswer().status == 204)
      for method in ["DELETE", "GET"] {
        try await wire.send(Self.head(method, key, fingerprint))
        #expect(try await wire.receiveAnswer().status == 404)
      }
      #expect(nodes.nodes[0].admission.servedCount == 1)
    }
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      var requests = ""
      for number in 0..<10 {
        requests += Self.head("PUT", key, fingerprint, "Transfer-Encoding: chunked") + "1\r\n\(number)\r\n0\r\n\r\n"
        requests += Self.head("GET", key, fingerprint)
      }
      try await wire.send(requests)
      for number in 0..<10 {
        #expect(try await wire.receiveAnswer().status == (number == 0 ? 201 : 204))
        #expect(try await wire.receiveAnswer().text == "\(number)")
      }
    }
  }

  @Test func aFramedValueThatBreaksOffIsNotStored() async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      let bodies = [
        ("Content-Length: 10", "only"), ("Transfer-Encoding: chunked", "4\r\nonly\r\n"),
        ("Transfer-Encoding: chunked", "4\r\nonly\r\n0\r\n"), ("Transfer-Encoding: chunked", ""),
      ]
      for (field, body) in bodies {
        var wire = try await Wire.connect(nodes.ports[0])
        try await wire.send(Self.head("PUT", key, fingerprint, field) + body)
        try wire.endSending()
        let (bytes, ending) = try await wire.receiveAll()
        #expect(bytes == [] && ending == .reset)
      }
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }

  @Test(arguments: [
    ("Kvnode-Value-Length: 9", "only 4 of the stated 9"), ("Kvnode-Value-Length: 3", "more than the stated 3"),
  ])
  func aValueOfAnotherLengthThanStatedIsNotStored(field: String, message: String) async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send(
        Self.head("PUT", key, fingerprint, "Transfer-Encoding: chunked", field) + "4\r\nonly\r\n0\r\n\r\n")
      let answer = try await wire.receiveAnswer()
      #expect(answer.status == 400)
      #expect(answer.text.contains(message))
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }

  @Test(arguments: ["Kvnode-Relayed-By: node2", "Kvnode-Peers: 0123456789abcdef"])
  func halfAMarkIsABadRequest(field: String) async throws {
    try await Self.run { nodes, _ in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send("GET /\(key) HTTP/1.1\r\nHost: node1\r\n\(field)\r\n\r\n")
      #expect(try await wire.receiveAnswer().status == 400)
    }
  }

  @Test(arguments: [
    "Content-Length: 1\r\nContent-Length: 1", "Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: x",
    "Transfer-Encoding: gzip, chunked",
  ])
  func framingThatCouldBeReadInTwoWaysEndsTheConnection(fields: String) async throws {
    try await Self.run { nodes, fingerprint in
      let key = try TestNodes.key(ownedBy: 0, of: 2)
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send(Self.head("PUT", key, fingerprint, fields) + "x" + Self.head("GET", key, fingerprint))
      let answer = try await wire.receiveAnswer()
      #expect(answer.status == 400 || answer.status == 501)
      #expect(answer["Connection"] == "close")
      try wire.endSending()
      #expect(try await wire.receiveText() == "")
      #expect(try nodes.files(of: 0) == ([], []))
    }
  }
}
