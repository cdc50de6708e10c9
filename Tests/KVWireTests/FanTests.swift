import Glibc
import KVHTTP
import KVLinux
import Testing
import TestSupport

@testable import KVWire

@Suite(.hangLimit) struct FanTests {
  /// What the far ends got, and how the fan ended.
  private struct Run: Sendable {
    var received: [[UInt8]] = []
    var result: Result<Int, Fan.Failure> = .success(0)
    var tapped: [UInt8] = []
    var failedCount = 0
  }

  /// Sends a payload through a fan to so many sinks; those in `broken` reset the connection at once, and those in `slow`
  /// have small buffers.
  private func run(
    _ payload: Payload, sinkCount: Int, countMin: Int, broken: Set<Int> = [], slow: Set<Int> = [],
    deaf: Set<Int> = [], speaking: Set<Int> = [], pipes: PipePool? = PipePool(), framesChunks: Bool = true,
    stopsAfter bytesMax: Int = .max
  ) async throws -> Run {
    let port = try ListeningPort()
    let source = try await WirePair(port).split()
    var pairs: [(near: Handoff<Wire>, far: Handoff<Wire>)] = []
    for index in 0..<sinkCount {
      let pair = try await WirePair(port).split()
      let far = pair.far.take()
      if speaking.contains(index) { try await far.send(Array("no more".utf8)) }
      pairs.append((pair.near, Handoff(far)))
    }
    async let sending: Void = {
      let near = source.near.take()
      try await near.send(payload.bytes)
      try near.endSending()
    }()
    let fars = pairs.map(\.far)
    async let receiving = Self.receive(
      fars.enumerated().filter { !deaf.contains($0.offset) }.map(\.element), broken: broken, slow: slow)
    var run = try await Self.fan(
      source.far.take(), pairs.map(\.near), slow: slow, pipes, framesChunks: framesChunks, countMin: countMin,
      stopsAfter: bytesMax)
    _ = try? await sending
    run.received = try await receiving
    return run
  }

  private static func fan(
    _ source: consuming Wire, _ nears: [Handoff<Wire>], slow: Set<Int>, _ pipes: PipePool?, framesChunks: Bool,
    countMin: Int,
    stopsAfter bytesMax: Int
  ) async throws -> Run {
    var run = Run()
    var sinks: [Fan.Sink] = []
    for (index, near) in nears.enumerated() {
      let wire = near.take()
      if slow.contains(index) { wire.stream.socket.shrink(SO_SNDBUF, to: 4096) }
      sinks.append(Fan.Sink(wire.stream, pipes: pipes))
    }
    var body = BodyReader(.untilEnd)
    var tapped: [UInt8] = []
    let fan = Fan(
      to: sinks, pipes: pipes, framesChunks: framesChunks, countMin: countMin, lagMax: .milliseconds(100))
    do throws(Fan.Failure) {
      run.result = .success(
        try await fan.run(&body, from: &source.stream) {
          tapped.append(copying: $0)
          return tapped.count <= bytesMax
        })
    } catch {
      run.result = .failure(error)
    }
    run.tapped = tapped
    run.failedCount = sinks.count { $0.isLeftOut }
    for sink in sinks {
      let stream = sink.release()
      try? stream.shutdownSending()
    }
    return run
  }

  private static func receive(
    _ fars: [Handoff<Wire>], broken: Set<Int>, slow: Set<Int>
  ) async throws -> [[UInt8]] {
    try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
      for (index, far) in fars.enumerated() {
        group.addTask(executorPreference: Wire.executor) {
          var wire = far.take()
          if broken.contains(index) {
            wire.reset()
            return (index, [])
          }
          if slow.contains(index) { wire.stream.socket.shrink(SO_RCVBUF, to: 4096) }
          return (index, try await wire.receiveAll().bytes)
        }
      }
      var received = [[UInt8]](repeating: [], count: fars.count)
      for try await (index, bytes) in group { received[index] = bytes }
      return received
    }
  }

  /// 60 sinks take more pipes than there are: some get copies.
  @Test(arguments: [0, 1, 100_000, 3 << 20], [(1, true), (3, true), (3, false), (60, true)])
  func everySinkGetsEveryByte(byteCount: Int, to sinks: (count: Int, pipes: Bool)) async throws {
    try await Wire.test {
      var generator = SeededGenerator(round: byteCount, 9100)
      let payload = Payload(byteCount: byteCount, &generator)
      let pipes = sinks.pipes ? PipePool() : nil
      let run = try await run(payload, sinkCount: sinks.count, countMin: sinks.count, pipes: pipes)
      #expect(run.result == .success(byteCount))
      #expect(payload.equals(run.tapped))
      for bytes in run.received {
        let text = ChunkedText(bytes)
        #expect(text.isComplete && text.isWellFormed)
        #expect(payload.equals(text.data))
      }
      // What was lent has come back.
      if let pipes { #expect(pipes.counts.made == pipes.counts.idle) }
    }
  }

  @Test func aBodyWhoseLengthWasToldGoesWithoutFraming() async throws {
    try await Wire.test {
      var generator = SeededGenerator(round: 0, 9150)
      let payload = Payload(byteCount: 3 << 20, &generator)
      let run = try await run(payload, sinkCount: 2, countMin: 2, framesChunks: false)
      #expect(run.result == .success(payload.byteCount))
      for bytes in run.received { #expect(payload.equals(bytes)) }
    }
  }

  @Test func aSlowSinkLosesNothing() async throws {
    try await Wire.test {
      var generator = SeededGenerator(round: 0, 9200)
      let payload = Payload(byteCount: 128 << 10, &generator)
      let run = try await run(payload, sinkCount: 3, countMin: 3, slow: [1])
      #expect(run.result == .success(payload.byteCount))
      for bytes in run.received { #expect(payload.equals(ChunkedText(bytes).data)) }
    }
  }

  /// Of three sinks, of which two must remain, one is left out.
  private func runLosingOne(
    byteCount: Int, _ seed: UInt64, broken: Set<Int> = [], slow: Set<Int> = [], deaf: Set<Int> = [],
    speaking: Set<Int> = []
  ) async throws -> (Payload, Run) {
    var generator = SeededGenerator(round: 0, seed)
    let payload = Payload(byteCount: byteCount, &generator)
    let run = try await run(
      payload, sinkCount: 3, countMin: 2, broken: broken, slow: slow, deaf: deaf, speaking: speaking)
    #expect(run.result == .success(payload.byteCount))
    #expect(run.failedCount == 1)
    return (payload, run)
  }

  @Test func oneThatFailsIsLeftOutWhileEnoughRemain() async throws {
    try await Wire.test {
      let (payload, run) = try await runLosingOne(byteCount: 8 << 20, 9300, broken: [0])
      for bytes in run.received[1...] { #expect(payload.equals(ChunkedText(bytes).data)) }
    }
  }

  @Test func oneThatSpeaksUpIsLeftOutAtOnce() async throws {
    try await Wire.test {
      let (payload, run) = try await runLosingOne(byteCount: 1 << 20, 9340, speaking: [1])
      #expect(run.received[1].isEmpty)
      for index in [0, 2] { #expect(payload.equals(ChunkedText(run.received[index]).data)) }
    }
  }

  /// One that takes nothing holds up the others for a while, and where it is needed, until it goes on.
  @Test func oneThatTakesNothingIsLeftOutWhileEnoughRemain() async throws {
    try await Wire.test {
      let (payload, run) = try await runLosingOne(byteCount: 16 << 20, 9350, slow: [2], deaf: [2])
      for bytes in run.received { #expect(payload.equals(ChunkedText(bytes).data)) }
    }
  }

  @Test func stopsWhereWhoeverLooksOnSaysSo() async throws {
    try await Wire.test {
      var generator = SeededGenerator(round: 0, 9360)
      let payload = Payload(byteCount: 4 << 20, &generator)
      let run = try await run(payload, sinkCount: 2, countMin: 1, stopsAfter: 1 << 20)
      #expect(run.result == .failure(.stopped))
      for bytes in run.received { #expect(!ChunkedText(bytes).isComplete) }
    }
  }

  @Test func stopsWhereTooFewRemain() async throws {
    try await Wire.test {
      var generator = SeededGenerator(round: 0, 9400)
      let payload = Payload(byteCount: 8 << 20, &generator)
      let run = try await run(payload, sinkCount: 3, countMin: 2, broken: [0, 2])
      #expect(run.result == .failure(.tooFew))
      #expect(run.failedCount == 2)
      // Half a value never looks whole.
      #expect(!ChunkedText(run.received[1]).isComplete)
    }
  }
}
