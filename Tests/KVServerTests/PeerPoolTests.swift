import KVCore
import Testing
import TestSupport

@testable import KVServer

@Suite(.hangLimit) struct PeerPoolTests {
  private static let address = PeerAddress(host: .name("node2"), port: 7776)

  @Test func whatHasBeenIdleTooLongIsClosedWithoutARequest() async throws {
    try await Wire.test {
      let connections = PeerPool(idleTimeout: .zero)
      let (near, far) = try await WirePair(ListeningPort()).split()
      connections.put(near.take().stream, Self.address)
      connections.closeExpired()
      var stream = far.take().stream
      #expect(try await stream.fill(bytesMax: 1) == false)
    }
  }

  @Test func othersAreKept() async throws {
    try await Wire.test {
      let connections = PeerPool()
      let (near, far) = try await WirePair(ListeningPort()).split()
      connections.put(near.take().stream, Self.address)
      connections.closeExpired()
      guard connections.take(Self.address) != nil else {
        Issue.record("the connection is gone")
        return
      }
      _ = far.take()
    }
  }
}
