import Glibc
import Testing
import TestSupport

@testable import KVLinux
@testable import KVWire

@Suite(.timeLimit(.minutes(10))) struct PipeTests {
  /// Pipes that an unprivileged user has used up are not this test's matter.
  private func makePipe() throws -> Pipe {
    guard let pipe = try Pipe.make() else { throw NoPipe() }
    return pipe
  }

  private struct NoPipe: Error {}

  @Test func isEmptyAndOfAUsefulSize() throws {
    let pipe = try makePipe()
    #expect(pipe.byteCount == 0)
    #expect(pipe.capacityBytes >= Pipe.usefulBytes)
  }

  @Test func takesAtMostWhatIsAllowed() async throws {
    try await onExecutor {
      var pipe = try makePipe()
      let (source, sink) = (try await Loopback.streams(), try await Loopback.streams())
      let sourceNear = source.near.take()
      let sourceFar = source.far.take()
      let sinkNear = sink.near.take()
      var sinkFar = sink.far.take()
      #expect(try pipe.fill(from: sourceFar.socket, bytesMax: 10) == .wouldBlock)
      try await sourceNear.send(Array("0123456789".utf8))
      try await sourceFar.wait(.readable)
      #expect(try pipe.fill(from: sourceFar.socket, bytesMax: 4) == .moved(4))
      #expect(pipe.byteCount == 4)
      #expect(try pipe.drain(to: sinkNear.socket, more: false) == .moved(4))
      #expect(pipe.byteCount == 0)
      #expect(try await sinkFar.fill(bytesMax: 100))
      #expect(Array(sinkFar.unread) == Array("0123".utf8))
      #expect(try pipe.fill(from: sourceFar.socket, bytesMax: 100) == .moved(6))
    }
  }

  @Test func findsTheEnd() async throws {
    try await onExecutor {
      var pipe = try makePipe()
      let source = try await Loopback.pair()
      let near = source.near.take()
      let far = source.far.take()
      try near.shutdownSending()
      _ = await IOExecutor.current.wait(for: .readable(far.descriptor), until: nil)
      #expect(try pipe.fill(from: far, bytesMax: 10) == .end)
      #expect(pipe.byteCount == 0)
    }
  }

  @Test func findsAReset() async throws {
    try await onExecutor {
      var pipe = try makePipe()
      let source = try await Loopback.pair()
      let far = source.far.take()
      reset(source.near.take())
      _ = await IOExecutor.current.wait(for: .readable(far.descriptor), until: nil)
      let error = #expect(throws: SystemError.self) { try pipe.fill(from: far, bytesMax: 10) }
      #expect(error == SystemError(call: "splice", code: ECONNRESET))
    }
  }

  private func reset(_ socket: consuming Socket) { socket.setResetOnClose(true) }

  @Test(arguments: [1, 65_536, 3_000_000, 20_000_000])
  func everyByteGoesThroughInOrder(byteCount: Int) async throws {
    try await onExecutor {
      let (source, sink) = (try await Loopback.streams(), try await Loopback.streams())
      let bytes = Loopback.bytes(byteCount)
      async let sent: Void = send(bytes, through: source.near)
      async let relayed = relay(from: source.far, to: sink.near)
      let received = try await receiveAll(sink.far)
      #expect(received == bytes)
      #expect(try await relayed == byteCount)
      try await sent
    }
  }

  private func send(_ bytes: [UInt8], through handoff: Handoff<Stream>) async throws {
    let stream = handoff.take()
    try await stream.send(bytes)
    try stream.shutdownSending()
  }

  private func relay(from source: Handoff<Stream>, to sink: Handoff<Stream>) async throws -> Int {
    let source = source.take()
    let sink = sink.take()
    var pipe = try makePipe()
    var byteCount = 0
    while true {
      switch try pipe.fill(from: source.socket, bytesMax: .max) {
      case .wouldBlock: try await source.wait(.readable)
      case .end:
        try sink.socket.shutdownSending()
        return byteCount
      case .moved(let count):
        byteCount += count
        while pipe.byteCount > 0 {
          if try pipe.drain(to: sink.socket, more: true) == .wouldBlock { try await sink.wait(.writable) }
        }
      }
    }
  }

  private func receiveAll(_ handoff: Handoff<Stream>) async throws -> [UInt8] {
    var stream = handoff.take()
    var received: [UInt8] = []
    while try await stream.fill(bytesMax: 100_000) { received += stream.takeUnread(.max) }
    return received
  }

  @Test func keepsWhatTheReceiverDoesNotTake() async throws {
    try await onExecutor {
      var pipe = try makePipe()
      let source = try await Loopback.streams()
      let sink = try await Loopback.streams()
      let sourceNear = source.near.take()
      let sourceFar = source.far.take()
      let sinkNear = sink.near.take()
      // The kernel makes room a few times more while it acknowledges: only a drain that blocks says that it is full.
      var byteCount = try Loopback.stuff(sinkNear.socket)
      var result = TransferResult.moved(0)
      while case .moved(let count) = result {
        byteCount += count
        if pipe.byteCount == 0 {
          try await sourceNear.send([UInt8](repeating: 0x78, count: 10_000))
          try await sourceFar.wait(.readable)
          _ = try pipe.fill(from: sourceFar.socket, bytesMax: 10_000)
        }
        result = try pipe.drain(to: sinkNear.socket, more: false)
      }
      #expect(result == .wouldBlock)
      #expect(pipe.byteCount > 0)
      byteCount += pipe.byteCount
      let sentCount = byteCount
      async let received = discard(sentCount, from: sink.far)
      while pipe.byteCount > 0 {
        if try pipe.drain(to: sinkNear.socket, more: false) == .wouldBlock { try await sinkNear.wait(.writable) }
      }
      #expect(try await received == sentCount)
    }
  }

  /// Takes exactly so many bytes, or waits for good.
  private func discard(_ byteCount: Int, from handoff: Handoff<Stream>) async throws -> Int {
    let stream = handoff.take()
    var discarded = 0
    while discarded < byteCount {
      switch try stream.socket.discard(bytesMax: byteCount - discarded) {
      case .moved(let count): discarded += count
      case .wouldBlock: try await stream.wait(.readable)
      case .end: return discarded
      }
    }
    return discarded
  }

  @Test func trapsWhenFilledTwice() async {
    await #expect(processExitsWith: .failure) {
      var ends: [CInt] = [-1, -1]
      guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0, var pipe = try Pipe.make() else { return }
      let socket = Socket(owning: FileDescriptor(owning: ends[0]))
      guard write(ends[1], "ab", 2) == 2, try pipe.fill(from: socket, bytesMax: 1) == .moved(1) else { return }
      _ = try pipe.fill(from: socket, bytesMax: 1)
    }
  }
}
