import KVHTTP
import KVLinux
import Testing
import TestSupport

@testable import KVWire

/// How a body comes and goes.
enum BodyShape: String, CaseIterable, Sendable {
  case length
  case untilEnd
  case chunked

  func framing(_ byteCount: Int) -> BodyFraming {
    switch self {
    case .length: .length(byteCount)
    case .untilEnd: .untilEnd
    case .chunked: .chunked
    }
  }

  func bytes(_ payload: Payload, _ generator: inout SeededGenerator) -> [UInt8] {
    self == .chunked ? BodyReaderTests.chunked(payload, &generator) : payload.bytes
  }
}

/// A case of a test over all that a pump can be asked to do.
struct PumpCase: CustomTestStringConvertible, Sendable {
  let variant: PumpVariant
  let shape: BodyShape
  let framesChunks: Bool

  static let all = PumpVariant.allCases.flatMap { variant in
    BodyShape.allCases.flatMap { shape in
      [false, true].map { PumpCase(variant: variant, shape: shape, framesChunks: $0) }
    }
  }

  var testDescription: String { "\(variant), \(shape) to \(framesChunks ? "chunked" : "plain")" }

  /// A number that differs from case to case, but not between the variants.
  var salt: UInt64 { (shape == .length ? 100 : shape == .untilEnd ? 200 : 300) + (framesChunks ? 1 : 0) }
}

@Suite(.hangLimit) struct PumpTests {
  /// Mostly up to 4 MiB, and now and then more than all buffers on the way hold.
  private static func byteCount(_ generator: inout SeededGenerator) -> Int {
    generator.once(in: 50)
      ? Int.random(in: (4 << 20)...(20 << 20), using: &generator) : generator.size(through: 4 << 20)
  }

  /// One transfer with everything left to chance, from the sizes to the pauses.
  static func transfer(
    _ test: PumpCase, _ pipes: PipePool?, _ port: borrowing ListeningPort, _ generator: inout SeededGenerator
  ) async throws -> (outcome: PumpOutcome, expected: PumpOutcome, isIntact: Bool) {
    let payload = Payload(byteCount: byteCount(&generator), &generator)
    let body = test.shape.bytes(payload, &generator)
    let following = test.shape == .untilEnd ? 0 : generator.size(through: 30_000)
    let rest = Payload(byteCount: following, &generator).bytes
    var run = PumpRun(
      pump: Pump(pipes: pipes, framesChunks: test.framesChunks, heedsSink: generator.once(in: 2), size: nil),
      framing: test.shape.framing(payload.byteCount))
    // What is read along with a head never goes past the body here, or it would not be known for the next message's.
    if generator.once(in: 3) { run.readAheadBytes = min(generator.size(through: 16 << 10), body.count) }
    let (isSlowReader, isSlowWriter) = (generator.once(in: 3), generator.once(in: 2))
    // Smaller than a segment of the loopback, TCP would crawl.
    if isSlowReader { run.sinkBufferBytes = (64 << 10) << generator.size(through: 3) }
    let (writerStart, readerStart) = (generator, SeededGenerator(seed: generator.next()))
    let (outcome, received) = try await run.run(port) { wire in
      var generator = writerStart
      let pieces = isSlowWriter ? generator.pieces(of: body.count) : [body.count]
      var offset = 0
      for piece in pieces {
        try await wire.send(Array(body[offset..<(offset + piece)]))
        offset += piece
        if isSlowWriter { await Wire.pause(&generator) }
      }
      try await wire.send(rest)
    } read: { wire in
      var generator = readerStart
      var bytes: [UInt8] = []
      let bytesMax = isSlowReader ? max(payload.byteCount / 300, 1) : 256 << 10
      while try await wire.stream.fill(bytesMax: bytesMax) {
        bytes += wire.stream.takeUnread(wire.stream.unread.count)
        if isSlowReader { await Wire.pause(&generator) }
      }
      return (bytes, .clean)
    }
    let isIntact: Bool
    if test.framesChunks {
      let text = ChunkedText(received.bytes)
      isIntact = text.isComplete && text.isWellFormed && payload.equals(text.data)
    } else {
      isIntact = payload.equals(received.bytes)
    }
    return (outcome, .complete(rest: rest), isIntact)
  }

  @Test(arguments: PumpCase.all)
  func carriesEveryBody(test: PumpCase) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      let pipes = test.variant.makePool()
      for round in 0..<Rounds.count(170) {
        var generator = SeededGenerator(round: round, test.salt)
        let result = try await Self.transfer(test, pipes, port, &generator)
        #expect(result.outcome == result.expected, "round \(round)")
        #expect(result.isIntact, "round \(round)")
        if let pipes { #expect(pipes.isWhole, "round \(round): \(pipes.counts)") }
      }
      // A body in small chunks may be copied throughout; all others must have been spliced.
      if let pipes, test.shape != .chunked { #expect(pipes.counts == (1, 1)) }
    }
  }

  @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 5_000_000], PumpVariant.allCases)
  func carriesSizesAroundItsOwnLimits(byteCount: Int, variant: PumpVariant) async throws {
    try await Wire.test {
      let port = try ListeningPort()
      let pipes = variant.makePool()
      var generator = SeededGenerator(round: byteCount, 400)
      let payload = Payload(byteCount: byteCount, &generator)
      for framesChunks in [false, true] {
        let run = PumpRun(
          pump: Pump(pipes: pipes, framesChunks: framesChunks, heedsSink: false, size: nil),
          framing: .length(byteCount))
        let (outcome, received) = try await run.run(port) { wire in
          try await wire.send(payload.bytes + [1, 2, 3])
        } read: { wire in
          try await wire.receiveAll()
        }
        #expect(outcome == .complete(rest: [1, 2, 3]))
        let text = ChunkedText(received.bytes)
        #expect(payload.equals(framesChunks ? text.data : received.bytes))
        if framesChunks { #expect(text.isComplete && text.isWellFormed) }
      }
      if let pipes { #expect(pipes.isWhole) }
    }
  }

  @Test func copiesWhereThePoolIsExhausted() async throws {
    try await Wire.test {
      let port = try ListeningPort()
      let pipes = PipePool()
      var taken: [Handoff<Pipe>] = []
      while let pipe = pipes.take() { taken.append(Handoff(pipe)) }
      #expect((1...48).contains(taken.count))
      #expect(pipes.counts == (taken.count, 0))
      for round in 0..<Rounds.count(40) {
        var generator = SeededGenerator(round: round, 500)
        let test = PumpCase(variant: .splicing, shape: .length, framesChunks: generator.once(in: 2))
        let result = try await Self.transfer(test, pipes, port, &generator)
        #expect(result.outcome == result.expected, "round \(round)")
        #expect(result.isIntact, "round \(round)")
      }
      #expect(pipes.counts == (taken.count, 0))
      for pipe in taken { pipes.put(pipe.take()) }
      #expect(pipes.counts == (taken.count, taken.count))
    }
  }
}
