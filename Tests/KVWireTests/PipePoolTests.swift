import Glibc
import KVLinux
import Testing
import TestSupport

@testable import KVWire

@Suite(.hangLimit) struct PipePoolTests {
  @Test func lendsAPipeAgain() {
    let pool = PipePool()
    for _ in 0..<3 {
      guard let pipe = pool.take() else {
        Issue.record("no pipe")
        return
      }
      #expect(pool.counts == (1, 0))
      pool.put(pipe)
      #expect(pool.counts == (1, 1))
    }
  }

  @Test func makesPipesOfAUsefulSize() throws {
    guard let pipe = try Pipe.make() else {
      Issue.record("no pipe")
      return
    }
    #expect(pipe.capacityBytes >= Pipe.usefulBytes)
    #expect(pipe.byteCount == 0)
  }

  @Test func closesAPipeThatHoldsBytes() async throws {
    try await Wire.test {
      let pool = PipePool()
      let pair = try await WirePair(ListeningPort())
      try await pair.near.send("secret")
      try await pair.far.stream.wait(.readable)
      guard var pipe = pool.take() else {
        Issue.record("no pipe")
        return
      }
      #expect(try pipe.fill(from: pair.far.stream.socket, bytesMax: 3) == .moved(3))
      pool.put(pipe)
      #expect(pool.counts == (0, 0))
    }
  }

  @Test func anOutboxGivesItsPipeUp() async throws {
    try await Wire.test {
      let pool = PipePool()
      let pair = try await WirePair(ListeningPort())
      // Nothing is read from the other end, so that a time comes when no byte goes any more.
      let blocked = try await WirePair(ListeningPort())
      blocked.near.stream.socket.shrink(SO_SNDBUF, to: 64 << 10)
      blocked.far.stream.socket.shrink(SO_RCVBUF, to: 64 << 10)
      do {
        var outbox = Outbox(pipes: pool)
        var splices = 0
        while outbox.isEmpty && splices < 1000 {
          splices += 1
          try await pair.near.send([UInt8](repeating: 0, count: 64 << 10))
          try await pair.far.stream.wait(.readable)
          let moved = try outbox.take(
            from: pair.far.stream, bytesMax: .max, framing: { [UInt8]("\($0):".utf8) })
          try outbox.flush(on: blocked.near.stream)
          #expect(moved != .wouldBlock && moved != .end)
        }
        #expect(splices < 1000)
        #expect(pool.counts == (1, 0))
      }
      #expect(pool.counts == (0, 0))
    }
  }

  @Test func aSourceWithoutBytesTakesNoPipe() async throws {
    try await Wire.test {
      let pool = PipePool()
      let pair = try await WirePair(ListeningPort())
      var outbox = Outbox(pipes: pool)
      let moved = try outbox.take(from: pair.far.stream, bytesMax: 100, framing: { _ in [] })
      #expect(moved == .wouldBlock)
      let isEmpty = outbox.isEmpty
      #expect(isEmpty)
      #expect(pool.counts == (1, 1))
    }
  }
}
