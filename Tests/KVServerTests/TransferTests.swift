import KVCore
import Testing
import TestSupport

@testable import KVServer

/// Values of random sizes through four nodes, in random pieces, at random places.
@Suite(.hangLimit) struct TransferTests {
  private static func byteCount(_ generator: inout SeededGenerator) -> Int {
    generator.once(in: 60)
      ? Int.random(in: (4 << 20)...(24 << 20), using: &generator) : generator.size(through: 4 << 20)
  }

  private static func put(
    _ key: Key, _ payload: Payload, _ port: UInt16, _ generator: inout SeededGenerator
  ) async throws {
    var wire = try await Wire.connect(port)
    let line = "PUT \(key)\(generator.once(in: 2) ? " \(payload.byteCount)" : "")\(generator.once(in: 2) ? "\r" : "")\n"
    switch generator.next() % 3 {
    case 0:
      for byte in line.utf8 { try await wire.send([byte]) }
      try await wire.send(payload, &generator)
    case 1:
      try await wire.send(Array(line.utf8) + payload.bytes)
    default:
      try await wire.send(line)
      try await wire.send(payload, &generator)
    }
    try wire.endSending()
    #expect(try await wire.receiveText() == "\(key)\n")
  }

  private static func get(
    _ key: Key, _ payload: Payload, _ port: UInt16, _ generator: inout SeededGenerator
  ) async throws -> Bool {
    var wire = try await Wire.connect(port)
    try await wire.send("GET \(key)\n")
    // As `nc -N` does, or only once all has come.
    if generator.once(in: 2) { try wire.endSending() }
    return try await wire.receive(payload, &generator, isSlow: generator.once(in: 4))
  }

  @Test func everyValueComesBackThroughAnyNode() async throws {
    try await TestNodes.run(4) { nodes in
      try await withThrowingDiscardingTaskGroup { group in
        for worker in 0..<6 {
          group.addTask {
            for round in 0..<Rounds.count(350) {
              var generator = SeededGenerator(round: round, 10_000 + UInt64(worker))
              let key = try Key(text: "worker\(worker)/\(generator.next() % 20)")
              let payload = Payload(byteCount: Self.byteCount(&generator), &generator)
              let (first, second) = (Int(generator.next() % 4), Int(generator.next() % 4))
              try await Self.put(key, payload, nodes.ports[first], &generator)
              let isIntact = try await Self.get(key, payload, nodes.ports[second], &generator)
              #expect(isIntact, "\(key), put through \(first), got through \(second), round \(round)")
              guard generator.once(in: 10) else { continue }
              #expect(try await nodes.ask("DEL \(key)\n", on: first) == "")
              #expect(try await nodes.ask("GET \(key)\n", on: second) == "ERROR: GET \(key): no such key\n")
            }
          }
        }
      }
      for index in 0..<4 {
        #expect(nodes.nodes[index].pipes.isWhole)
        #expect(try nodes.files(of: index).staged == [])
      }
    }
  }

  @Test func eachNodeStoresOnlyItsOwn() async throws {
    try await TestNodes.run(4) { nodes in
      for index in 0..<4 {
        let key = try TestNodes.key(ownedBy: index, of: 4)
        #expect(try await nodes.ask("PUT \(key)\n", [1], on: (index + 1) % 4) == "\(key)\n")
        let names = try (0..<4).map { try nodes.files(of: $0).values.map { String($0.dropFirst(3)) } }
        #expect(names[index].contains("\(key)"))
        #expect(names.joined().filter { $0 == "\(key)" }.count == 1)
      }
    }
  }

  @Test func concurrentPutsOfOneKeyThroughAllNodesLeaveOneOfThemWhole() async throws {
    try await TestNodes.run(4) { nodes in
      let payloads = (0..<4).map { index in
        var generator = SeededGenerator(round: index, 11_000)
        return Payload(byteCount: 300_000 + index, &generator)
      }
      let key = try Key(text: "contended")
      try await withThrowingDiscardingTaskGroup { group in
        for (index, payload) in payloads.enumerated() {
          group.addTask {
            for round in 0..<Rounds.count(15) {
              var generator = SeededGenerator(round: round, 12_000 + UInt64(index))
              try await Self.put(key, payload, nodes.ports[index], &generator)
              let (bytes, ending) = try await nodes.classic("GET \(key)\n", on: (index + round) % 4)
              #expect(ending == .clean)
              #expect(payloads.contains { $0.equals(bytes) })
            }
          }
        }
      }
      #expect(try (0..<4).map { try nodes.files(of: $0).values.count }.reduce(0, +) == 1)
    }
  }

  @Test func anUploadThatIsResetCommitsNothingAnywhere() async throws {
    try await TestNodes.run(2) { nodes in
      let key = try TestNodes.key(ownedBy: 1, of: 2)
      #expect(try await nodes.ask("PUT \(key)\n", [7]) == "\(key)\n")
      for round in 0..<Rounds.count(30) {
        var generator = SeededGenerator(round: round, 13_000)
        let payload = Payload(byteCount: generator.size(through: 3 << 20) + 1, &generator)
        let wire = try await Wire.connect(nodes.ports[0])
        try await wire.send("PUT \(key)\n")
        try await wire.send(payload, &generator)
        wire.reset()
      }
      try await nodes.untilIdle()
      #expect(try await nodes.classic("GET \(key)\n").bytes == [7])
      #expect(try nodes.files(of: 1).staged == [])
      #expect(nodes.nodes[0].pipes.isWhole)
    }
  }

  @Test(arguments: ["Content-Length: 10", "Transfer-Encoding: chunked"])
  func aFramedUploadThatBreaksOffCommitsNothingAnywhere(field: String) async throws {
    try await TestNodes.run(2) { nodes in
      for owner in 0..<2 {
        let key = try TestNodes.key(ownedBy: owner, of: 2)
        let (bytes, ending) = try await nodes.classic(
          "PUT /\(key) HTTP/1.1\r\nHost: kvnode\r\n\(field)\r\n\r\n4\r\n")
        #expect(bytes == [] && ending == .reset)
      }
      try await nodes.untilIdle()
      #expect(try (0..<2).allSatisfy { try nodes.files(of: $0) == ([], []) })
    }
  }

  @Test func aWrongLengthCommitsNothingAnywhere() async throws {
    try await TestNodes.run(2) { nodes in
      let key = try TestNodes.key(ownedBy: 1, of: 2)
      #expect(
        try await nodes.ask("PUT \(key) 9\n", [1, 2]) == "ERROR: PUT \(key): only 2 of the stated 9 bytes arrived\n")
      #expect(
        try await nodes.ask("PUT \(key) 1\n", [1, 2]) == "ERROR: PUT \(key): more than the stated 1 byte arrived\n")
      #expect(try await nodes.ask("GET \(key)\n") == "ERROR: GET \(key): no such key\n")
      try await nodes.untilIdle()
      #expect(try nodes.files(of: 1) == ([], []))
    }
  }
}
