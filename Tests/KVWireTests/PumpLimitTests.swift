import KVCore
import Testing
import TestSupport

@testable import KVWire

/// How long a pump waits, and how much it lets through.
@Suite(.hangLimit) struct PumpLimitTests {
  @Test(arguments: PumpVariant.allCases)
  func aSinkThatTakesNothingTimesOut(variant: PumpVariant) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      var generator = SeededGenerator(round: 0, 6000)
      let payload = Payload(byteCount: 24 << 20, &generator)
      for heedsSink in [false, true] {
        let pipes = variant.makePool()
        var run = PumpRun(
          pump: Pump(pipes: pipes, framesChunks: true, heedsSink: heedsSink, size: nil),
          framing: .length(payload.byteCount))
        run.idleTimeout = .milliseconds(100)
        run.readAheadBytes = 2 << 20
        run.sinkBufferBytes = 64 << 10
        let (isOver, over) = AsyncStream<Void>.makeStream()
        let (outcome, _) = try await run.run(port) { wire in
          defer { over.finish() }
          try await wire.send(payload.bytes)
        } read: { wire in
          for await _ in isOver {}
          return try await wire.receiveAll()
        }
        #expect(outcome == .failed("sink timed out"))
        if let pipes { #expect(pipes.isWhole) }
      }
    }
  }

  @Test(arguments: PumpVariant.allCases, [true, false])
  func aSourceThatSendsNothingTimesOut(variant: PumpVariant, heedsSink: Bool) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      let pipes = variant.makePool()
      var run = PumpRun(
        pump: Pump(pipes: pipes, framesChunks: true, heedsSink: heedsSink, size: nil), framing: .untilEnd)
      run.idleTimeout = .milliseconds(100)
      run.readAheadBytes = 4
      let (outcome, received) = try await run.run(port) { wire in
        try await wire.send("some")
        _ = try await wire.receiveAll()
      } read: { wire in
        try await wire.receiveAll()
      }
      #expect(outcome == .failed("source timed out"))
      #expect(received.bytes == Array("4\r\nsome".utf8))
      if let pipes { #expect(pipes.isWhole) }
    }
  }

  @Test(arguments: PumpVariant.allCases)
  func aValueOfTheWrongSizeIsRefused(variant: PumpVariant) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      var generator = SeededGenerator(round: 0, 7000)
      let payload = Payload(byteCount: 2 << 20, &generator)
      let key = try Key(text: "k")
      for stated in [payload.byteCount - 1, payload.byteCount + 1] {
        let pipes = variant.makePool()
        let request = ValueRequest(operation: .put, key: key, body: .untilEnd, valueBytes: stated)
        let pump = Pump(
          pipes: pipes, framesChunks: true, heedsSink: true, size: ValueSize(of: request, limits: Limits()))
        let (outcome, received) = try await PumpRun(pump: pump, framing: .untilEnd).run(port) { wire in
          try await wire.send(payload.bytes)
        } read: { wire in
          try await wire.receiveAll()
        }
        let expected =
          stated < payload.byteCount
          ? "more than the stated \(stated) bytes arrived"
          : "only \(payload.byteCount) of the stated \(stated) bytes arrived"
        #expect(outcome == .failed("refused: PUT k: \(expected)"))
        #expect(!ChunkedText(received.bytes).isComplete)
        if let pipes { #expect(pipes.isWhole) }
      }
    }
  }
}
