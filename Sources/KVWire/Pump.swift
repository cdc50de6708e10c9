import KVCore
import KVHTTP
import KVLinux

/// Moves a body from one stream to another, as fast as the slower of them: through a pipe where one is to be
/// had, without copying, else through the thread's buffer.
///
/// What the sink does not take at once, one piece at most, is held back, and nothing is read meanwhile.
package struct Pump {
  /// How a run ended.
  package enum End: Equatable {
    /// The whole body, of so many bytes, is on its way.
    case complete(byteCount: Int)
    /// The sink spoke up, or failed, before it had everything: it may have an answer already.
    case sinkSpoke
  }

  /// Whether the sink has something to say.
  private enum Sink {
    case quiet
    case spoke
  }

  /// Below so many bytes left, a pipe costs more than a copy.
  private static let spliceBytesMin = 64 << 10

  /// The pipes to use; nil copies everything.
  package let pipes: PipePool?
  /// Whether the body goes out in chunks.
  package let framesChunks: Bool
  /// Whether the sink may have something to say meanwhile. Then its failure is its answer too.
  package let heedsSink: Bool
  /// Checks the size as it grows; nil where the source's framing is trusted.
  package let size: ValueSize?

  /// A pump for one body or several.
  package init(pipes: PipePool?, framesChunks: Bool, heedsSink: Bool, size: ValueSize?) {
    self.pipes = pipes
    self.framesChunks = framesChunks
    self.heedsSink = heedsSink
    self.size = size
  }

  /// Moves the body to its end.
  package func run(
    _ body: inout BodyReader, from source: inout Stream, to sink: borrowing Stream
  ) async throws(PumpError) -> End {
    var outbox = Outbox(pipes: pipes)
    var turn = Turn()
    var byteCount = 0
    while true {
      if !outbox.isEmpty, try await flush(&outbox, to: sink) == .spoke { return .sinkSpoke }
      switch try step(&body, from: &source, to: sink, &outbox, isFirst: byteCount == 0) {
      case nil: return .sinkSpoke
      case .moved(let count):
        byteCount += count
        try check(byteCount, isComplete: false)
        await turn.moved(count)
      case .wouldBlock:
        if try await waitForSource(source, orSink: sink) == .spoke { return .sinkSpoke }
      case .complete:
        try check(byteCount, isComplete: true)
        if framesChunks, try await sendLastChunk(to: sink, isFirst: byteCount == 0) == .spoke { return .sinkSpoke }
        return .complete(byteCount: byteCount)
      }
    }
  }

  /// Moves what has arrived, or returns nil where the sink failed and is heeded.
  @inline(__always)
  private func step(
    _ body: inout BodyReader, from source: inout Stream, to sink: borrowing Stream, _ outbox: inout Outbox,
    isFirst: Bool
  ) throws(PumpError) -> BodyReader.Step? {
    do throws(BodyError<SystemError>) {
      return try body.step(from: &source) { source, bytesMax throws(PassError<SystemError>) in
        if let result = try splice(from: source, bytesMax, to: sink, &outbox, isFirst: isFirst) { return result }
        return try source.pass(bytesMax: bytesMax) { bytes throws(SystemError) in
          try outbox.send(framing(bytes.byteCount, isFirst: isFirst), bytes, on: sink.socket)
        }
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

  /// Splices, or returns nil where copying is right: what was read along with the head is in memory already.
  private func splice(
    from source: borrowing Stream, _ bytesMax: Int, to sink: borrowing Stream, _ outbox: inout Outbox, isFirst: Bool
  ) throws(PassError<SystemError>) -> TransferResult? {
    guard source.unread.isEmpty, bytesMax >= Self.spliceBytesMin else { return nil }
    do throws(SpliceError) {
      return try outbox.splice(
        from: source.socket, bytesMax: bytesMax, framing: { framing($0, isFirst: isFirst) }, to: sink.socket)
    } catch {
      switch error {
      case .source(let error): throw .stream(.failed(error))
      case .sink(let error): throw .consumer(error)
      }
    }
  }

  /// What goes out ahead of so many bytes. The end of a chunk travels with the head of the next, which saves
  /// a system call for each.
  private func framing(_ byteCount: Int, isFirst: Bool) -> [UInt8] {
    guard framesChunks else { return [] }
    return (isFirst ? [] : ChunkHead.chunkEnd) + ChunkHead.encoded(byteCount: byteCount)
  }

  private func sendLastChunk(to sink: borrowing Stream, isFirst: Bool) async throws(PumpError) -> Sink {
    do throws(StreamError) {
      try await sink.send((isFirst ? [] : ChunkHead.chunkEnd) + ChunkHead.lastChunk)
      return .quiet
    } catch {
      if heedsSink, case .failed = error { return .spoke }
      throw .sink(error)
    }
  }

  private func flush(_ outbox: inout Outbox, to sink: borrowing Stream) async throws(PumpError) -> Sink {
    while true {
      do throws(SystemError) {
        try outbox.flush(on: sink.socket)
      } catch {
        if heedsSink { return .spoke }
        throw .sink(.failed(error))
      }
      if outbox.isEmpty { return .quiet }
      if try await waitForSink(sink) == .spoke { return .spoke }
    }
  }

  private func waitForSink(_ sink: borrowing Stream) async throws(PumpError) -> Sink {
    do throws(StreamError) {
      guard heedsSink else {
        try await sink.waitWritable()
        return .quiet
      }
      try await sink.waitWritableOrReadable()
      return sink.hasArrived ? .spoke : .quiet
    } catch {
      throw .sink(error)
    }
  }

  private func waitForSource(
    _ source: borrowing Stream, orSink sink: borrowing Stream
  ) async throws(PumpError) -> Sink {
    do throws(StreamError) {
      guard heedsSink else {
        try await source.waitReadable()
        return .quiet
      }
      try await source.waitReadable(or: sink)
      return sink.hasArrived ? .spoke : .quiet
    } catch {
      throw .source(error)
    }
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
package enum PumpError: Error {
  case source(StreamError)
  /// The source ended before its body did.
  case sourceBrokeOff
  case sourceMalformed(HTTPSyntaxError)
  case sink(StreamError)
  /// The value is not what was stated or is allowed.
  case refused(Failure)
}
