import KVCore
import Testing
import TestSupport

@testable import KVServer

/// A value that is refused before it was sent: what its client sees, and how much of it is taken all the same.
@Suite(.hangLimit) struct RefusalTests {
  private static let pieceBytes = 1 << 20
  private static let announcedBytes = 100 << 20

  private static func head(_ key: Key, byteCount: Int, _ condition: String = "") -> String {
    "PUT /\(key) HTTP/1.1\r\nHost: a\r\nContent-Length: \(byteCount)\r\n\(condition)\r\n"
  }

  /// Many clients read nothing before they have sent all that they have announced.
  @Test(arguments: [0, 1], [("", "413"), ("If-None-Match: *\r\n", "412")])
  func aClientThatSendsAllItHasAnnouncedSeesTheAnswer(
    owner: Int, refusal: (condition: String, status: String)
  ) async throws {
    let isForSize = refusal.condition.isEmpty
    try await TestNodes.run(2, configure: { if isForSize { $1.valueBytesMax = 1000 } }) { nodes async throws in
      let key = try TestNodes.key(ownedBy: owner, of: 2)
      #expect(try await nodes.ask("PUT \(key)\n", [1]) == "\(key)\n")
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send(Self.head(key, byteCount: Self.announcedBytes, refusal.condition))
      let piece = [UInt8](repeating: 0, count: Self.pieceBytes)
      for _ in 0..<(Self.announcedBytes / Self.pieceBytes) { try await wire.send(piece) }
      let answer = try await wire.receiveText()
      #expect(answer.hasPrefix("HTTP/1.1 \(refusal.status) "))
      #expect(try await nodes.classic("GET \(key)\n").bytes == [1])
    }
  }

  @Test func aClientThatSendsMoreThanItHasAnnouncedIsCutOff() async throws {
    try await TestNodes.run(configure: { $1.valueBytesMax = 1000 }) { nodes async throws in
      let announced = 1 << 30
      var wire = try await Wire.connect(nodes.ports[0])
      try await wire.send(Self.head(try Key(text: "k"), byteCount: announced))
      #expect(try await wire.receive(through: "\r\n\r\n").hasPrefix("HTTP/1.1 413 "))
      let piece = [UInt8](repeating: 0, count: Self.pieceBytes)
      // What the node takes beyond it, and what the kernel holds of both sides.
      let most = announced + (64 << 20) + (64 << 20)
      var sent = 0
      var isCutOff = false
      while sent < most, !isCutOff {
        do { try await wire.send(piece) } catch { isCutOff = true }
        sent += piece.count
      }
      #expect(isCutOff)
      #expect(sent > announced)
    }
  }
}
