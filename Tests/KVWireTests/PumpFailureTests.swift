import Testing
import TestSupport

@testable import KVWire

@Suite(.hangLimit) struct PumpFailureTests {
  /// More than all buffers between two sockets of the loopback hold, so that a pump must wait.
  private static let largeBytes = 24 << 20

  private static func pump(_ pipes: PipePool?, heedsSink: Bool, framesChunks: Bool = true) -> Pump {
    Pump(pipes: pipes, framesChunks: framesChunks, heedsSink: heedsSink, size: nil)
  }

  /// Runs a transfer whose source ends too early, by a reset or in order.
  private static func brokenTransfer(
    _ test: PumpCase, _ pipes: PipePool?, _ port: borrowing ListeningPort, _ generator: inout SeededGenerator
  ) async throws {
    let payload = Payload(byteCount: generator.size(through: 3 << 20) + 1, &generator)
    let body = test.shape.bytes(payload, &generator)
    let cut = Int.random(in: 0..<body.count, using: &generator)
    let isReset = test.shape == .untilEnd || generator.once(in: 2)
    let run = PumpRun(
      pump: pump(pipes, heedsSink: generator.once(in: 2), framesChunks: test.framesChunks),
      framing: test.shape.framing(payload.byteCount))
    let start = generator
    let (outcome, received) = try await run.run(port) { wire in
      var generator = start
      var offset = 0
      for piece in generator.pieces(of: cut) {
        try await wire.send(Array(body[offset..<(offset + piece)]))
        offset += piece
        await Wire.pause(&generator)
      }
      if isReset { wire.stream.setResetOnClose(true) }
    } read: { wire in
      try await wire.receiveAll()
    }
    #expect(outcome == .failed(isReset ? "source failed" : "source broke off"))
    #expect(received.ending == .reset)
    let text = ChunkedText(received.bytes)
    if test.framesChunks { #expect(!text.isComplete && text.isWellFormed) }
    #expect(payload.matches((test.framesChunks ? text.data : received.bytes)[...], at: 0))
  }

  @Test(arguments: PumpCase.all)
  func aSourceThatBreaksOffNeverCompletes(test: PumpCase) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      let pipes = test.variant.makePool()
      for round in 0..<Rounds.count(60) {
        var generator = SeededGenerator(round: round, test.salt + 1000)
        try await Self.brokenTransfer(test, pipes, port, &generator)
        if let pipes { #expect(pipes.isWhole, "round \(round): \(pipes.counts)") }
      }
    }
  }

  @Test(arguments: PumpVariant.allCases)
  func pipesNeverCarryBytesToAnotherTransfer(variant: PumpVariant) async throws {
    try await Wire.test {
      let pipes = variant.makePool()
      try await withThrowingDiscardingTaskGroup { group in
        for worker in 0..<6 {
          group.addTask {
            let port = try ListeningPort()
            for round in 0..<Rounds.count(30) {
              var generator = SeededGenerator(round: round, 2000 + UInt64(worker))
              let shape = BodyShape.allCases.randomElement(using: &generator) ?? .length
              let test = PumpCase(variant: variant, shape: shape, framesChunks: generator.once(in: 2))
              switch generator.next() % 4 {
              case 0: try await Self.brokenTransfer(test, pipes, port, &generator)
              case 1: try await Self.transferToDeafSink(pipes, port, heedsSink: generator.once(in: 2))
              default:
                let result = try await PumpTests.transfer(test, pipes, port, &generator)
                #expect(result.outcome == result.expected, "worker \(worker), round \(round)")
                #expect(result.isIntact, "worker \(worker), round \(round)")
              }
            }
          }
        }
      }
      if let pipes { #expect(pipes.isWhole, "\(pipes.counts)") }
    }
  }

  /// Runs a transfer whose sink resets the connection before it has everything.
  private static func transferToDeafSink(
    _ pipes: PipePool?, _ port: borrowing ListeningPort, heedsSink: Bool
  ) async throws {
    var generator = SeededGenerator(round: 0, 3000)
    let payload = Payload(byteCount: largeBytes, &generator)
    var run = PumpRun(pump: pump(pipes, heedsSink: heedsSink), framing: .length(payload.byteCount))
    run.sinkBufferBytes = 256 << 10
    let (outcome, _) = try await run.run(port) { wire in
      try await wire.send(payload.bytes)
    } read: { wire in
      let bytes = try await wire.receive(100_000)
      wire.stream.setResetOnClose(true)
      return (bytes, .reset)
    }
    #expect(outcome == (heedsSink ? .sinkSpoke(answer: []) : .failed("sink failed")))
  }

  @Test(arguments: PumpVariant.allCases, [true, false])
  func noticesThatTheSinkIsReset(variant: PumpVariant, heedsSink: Bool) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      let pipes = variant.makePool()
      for _ in 0..<Rounds.count(10) {
        try await Self.transferToDeafSink(pipes, port, heedsSink: heedsSink)
        if let pipes { #expect(pipes.isWhole, "\(pipes.counts)") }
      }
    }
  }

  @Test(arguments: PumpVariant.allCases, [true, false])
  func stopsWhenTheSinkSpeaks(variant: PumpVariant, isSourceIdle: Bool) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      let pipes = variant.makePool()
      for round in 0..<Rounds.count(10) {
        var generator = SeededGenerator(round: round, 4000)
        let payload = Payload(byteCount: Self.largeBytes, &generator)
        let heard = generator.size(through: 2 << 20) + 1
        var run = PumpRun(pump: Self.pump(pipes, heedsSink: true), framing: .length(payload.byteCount))
        run.answerBytes = 5
        let (isOver, over) = AsyncStream<Void>.makeStream()
        let (outcome, received) = try await run.run(port) { wire in
          defer { over.finish() }
          try await wire.send(isSourceIdle ? payload.bytes(at: 0, count: heard) : payload.bytes)
          _ = try await wire.receiveAll()
        } read: { wire in
          let bytes = try await wire.receive(heard)
          try await wire.send("stop!")
          // Nothing more is read before the pump has heard it.
          for await _ in isOver {}
          return (bytes + (try await wire.receiveAll().bytes), .reset)
        }
        #expect(outcome == .sinkSpoke(answer: Array("stop!".utf8)), "round \(round)")
        let text = ChunkedText(received.bytes)
        #expect(!text.isComplete && text.isWellFormed)
        #expect(payload.matches(text.data[...], at: 0))
        if let pipes { #expect(pipes.isWhole, "\(pipes.counts)") }
      }
    }
  }

  @Test(arguments: PumpVariant.allCases)
  func aSinkThatIsNotHeededMaySpeak(variant: PumpVariant) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      var generator = SeededGenerator(round: 0, 5000)
      let payload = Payload(byteCount: 3 << 20, &generator)
      let run = PumpRun(
        pump: Self.pump(variant.makePool(), heedsSink: false, framesChunks: false), framing: .length(payload.byteCount))
      let (outcome, received) = try await run.run(port) { wire in
        try await wire.send(payload.bytes)
      } read: { wire in
        try await wire.send("pipelined")
        return (try await wire.receive(payload.byteCount), .clean)
      }
      #expect(outcome == .complete(rest: []))
      #expect(payload.equals(received.bytes))
    }
  }

  @Test(arguments: PumpVariant.allCases)
  func malformedChunksAreNamed(variant: PumpVariant) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      var generator = SeededGenerator(round: 0, 8000)
      let chunk = Array("40000\r\n".utf8) + Payload(byteCount: 0x40000, &generator).bytes
      let pipes = variant.makePool()
      let run = PumpRun(pump: Self.pump(pipes, heedsSink: true), framing: .chunked)
      let (outcome, received) = try await run.run(port) { wire in
        try await wire.send(chunk + Array("\r\nnonsense\r\n".utf8))
      } read: { wire in
        try await wire.receiveAll()
      }
      #expect(outcome == .failed("source malformed"))
      #expect(!ChunkedText(received.bytes).isComplete)
      if let pipes { #expect(pipes.isWhole) }
    }
  }

  @Test(arguments: PumpVariant.allCases)
  func stopsWhenItsTaskIsCancelled(variant: PumpVariant) async throws {
    try await Wire.test {
      let pipes = variant.makePool()
      let port = try ListeningPort()
      let source = try await WirePair(port).split()
      let sink = try await WirePair(port).split()
      let near = source.near.take()
      var far = sink.far.take()
      let running = Task(executorPreference: Wire.executor) {
        var from = source.far.take().stream
        let to = sink.near.take().stream
        var body = BodyReader(.untilEnd)
        do throws(PumpError) {
          _ = try await Self.pump(pipes, heedsSink: true).run(&body, from: &from, to: to)
          return "complete"
        } catch {
          if case .source(.stream(.stopped)) = error { return "stopped" }
          return "\(error)"
        }
      }
      try await near.send("some")
      #expect(try await far.receive(through: "some") == "4\r\nsome")
      running.cancel()
      let end = await running.value
      #expect(end == "stopped")
      if let pipes { #expect(pipes.isWhole) }
    }
  }
}
