import KVCore
import KVLinux

/// Moves a body from one stream to another through the thread's buffer, as fast as the slower of them.
///
/// What the sink does not take at once, one piece at most, is held back, and nothing is read meanwhile.
struct BufferedPump {
  /// How a run ended.
  enum End {
    /// The whole body is on its way.
    case complete
    /// The sink spoke up, or failed, before it had everything: it may have an answer already.
    case sinkSpoke
  }

  /// Whether the body goes out in chunks.
  let framesChunks: Bool
  /// Whether the sink may have something to say meanwhile. Then its failure is its answer too.
  let heedsSink: Bool
  /// Checks the size as it grows; nil where the source's framing is trusted.
  let size: ValueSize?

  /// Moves the body to its end.
  func run(
    _ body: inout BodyReader, from source: inout Stream, to sink: borrowing Stream
  ) async throws(PumpError) -> End {
    var outbox = Outbox()
    var turn = Turn()
    var byteCount = 0
    while true {
      if !outbox.isEmpty, try await flush(&outbox, to: sink) == .sinkSpoke { return .sinkSpoke }
      switch try step(&body, from: &source, to: sink, &outbox) {
      case nil: return .sinkSpoke
      case .moved(let count):
        byteCount += count
        try check(byteCount, isComplete: false)
        await turn.moved(count)
      case .wouldBlock:
        if try await waitForSource(source, orSink: sink) == .sinkSpoke { return .sinkSpoke }
      case .complete:
        try check(byteCount, isComplete: true)
        guard framesChunks else { return .complete }
        return try await sendLastChunk(to: sink)
      }
    }
  }

  /// Moves what has arrived, or returns nil where the sink failed and is heeded.
  @inline(__always)
  private func step(
    _ body: inout BodyReader, from source: inout Stream, to sink: borrowing Stream, _ outbox: inout Outbox
  ) throws(PumpError) -> BodyReader.Step? {
    do throws(BodyError<SystemError>) {
      return try body.step(from: &source) { bytes throws(SystemError) in
        let head = framesChunks ? ChunkHead.encoded(byteCount: bytes.byteCount) : []
        try outbox.send(head, bytes, framesChunks ? ChunkHead.chunkEnd : [], on: sink.socket)
      }
    } catch {
      switch error {
      case .stream(let error): throw .source(error)
      case .brokenOff: throw .sourceBrokeOff
      case .malformed(let error): throw .sourceMalformed(error)
      case .consumer(let error):
        if heedsSink { return nil }
        throw .sink(.failed(error))
      }
    }
  }

  private func sendLastChunk(to sink: borrowing Stream) async throws(PumpError) -> End {
    try await sinking { () async throws(StreamError) in
      try await sink.send(ChunkHead.lastChunk)
      return .complete
    }
  }

  private func flush(_ outbox: inout Outbox, to sink: borrowing Stream) async throws(PumpError) -> End {
    while true {
      do throws(SystemError) {
        try outbox.flush(on: sink.socket)
      } catch {
        if heedsSink { return .sinkSpoke }
        throw .sink(.failed(error))
      }
      if outbox.isEmpty { return .complete }
      let end = try await sinking { () async throws(StreamError) in
        guard heedsSink else {
          try await sink.waitWritable()
          return .complete
        }
        try await sink.waitWritableOrReadable()
        return sink.hasArrived ? .sinkSpoke : .complete
      }
      if end == .sinkSpoke { return .sinkSpoke }
    }
  }

  private func waitForSource(
    _ source: borrowing Stream, orSink sink: borrowing Stream
  ) async throws(PumpError) -> End {
    do throws(StreamError) {
      guard heedsSink else {
        try await source.waitReadable()
        return .complete
      }
      try await source.waitReadable(or: sink)
      return sink.hasArrived ? .sinkSpoke : .complete
    } catch {
      throw .source(error)
    }
  }

  private func sinking(_ body: () async throws(StreamError) -> End) async throws(PumpError) -> End {
    do throws(StreamError) { return try await body() } catch { throw .sink(error) }
  }

  private func check(_ byteCount: Int, isComplete: Bool) throws(PumpError) {
    guard let size else { return }
    do throws(Failure) {
      try isComplete ? size.checkComplete(byteCount) : size.check(byteCount)
    } catch {
      throw .refused(error)
    }
  }
}

/// Why a pump stopped. The cases divide by which end it was.
enum PumpError: Error {
  case source(StreamError)
  /// The source ended before its body did.
  case sourceBrokeOff
  case sourceMalformed(HTTPSyntaxError)
  case sink(StreamError)
  /// The value is not what was stated or is allowed.
  case refused(Failure)
}
