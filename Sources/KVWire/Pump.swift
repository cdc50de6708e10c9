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
  /// How much is copied at a time: what a slow sink does not take of it is held in memory, and such sinks may be many.
  private static let copyBytesMax = 128 << 10

  /// The pipes to use; nil copies everything.
  package let pipes: PipePool?
  /// Whether the body goes out in chunks.
  package let framesChunks: Bool
  /// Whether the sink may have something to say meanwhile. Then its failure is its answer too.
  package let heedsSink: Bool
  /// Checks the size as it grows; nil where the source's framing is trusted.
  package let size: ValueSize?
  /// For how long nothing may come from the source; nil for its own idle limit.
  package var stallMax: Duration?

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
      switch try next(of: &body, in: &source) {
      case .complete:
        try check(byteCount, isComplete: true)
        if framesChunks, try await sendLastChunk(to: sink, isFirst: byteCount == 0) == .spoke { return .sinkSpoke }
        return .complete(byteCount: byteCount)
      case .wouldBlock:
        if try await waitForSource(source, orSink: sink) == .spoke { return .sinkSpoke }
      case .data(let bytesMax):
        var sinkError: StreamError?
        let framing = Framing(isChunked: framesChunks, isFirst: byteCount == 0)
        let result = try move(bytesMax, framing, from: &source, to: sink, &outbox, &sinkError)
        if let sinkError {
          if heedsSink { return .sinkSpoke }
          throw .sink(sinkError)
        }
        do throws(BodyError) { try body.advance(result) } catch { throw .source(error) }
        if case .moved(let count) = result {
          byteCount += count
          try check(byteCount, isComplete: false)
          if !outbox.isEmpty, try await flush(&outbox, to: sink) == .spoke { return .sinkSpoke }
          await turn.moved(count)
        } else if result == .wouldBlock {
          if try await waitForSource(source, orSink: sink) == .spoke { return .sinkSpoke }
        }
      }
    }
  }

  private func next(of body: inout BodyReader, in source: inout Stream) throws(PumpError) -> BodyReader.Step {
    do throws(BodyError) { return try body.next(in: &source) } catch { throw .source(error) }
  }

  /// Moves what has arrived, at most so many bytes, into the outbox, and a copied piece as far as the sink takes it. Where
  /// that fails, the error is the sink's.
  private func move(
    _ bytesMax: Int, _ framing: Framing, from source: inout Stream, to sink: borrowing Stream,
    _ outbox: inout Outbox, _ sinkError: inout StreamError?
  ) throws(PumpError) -> TransferResult {
    do throws(StreamError) {
      // What was read along with the head is in memory already, and little is copied sooner than spliced.
      if source.unread.isEmpty, bytesMax >= Self.spliceBytesMin, source.takesPipes, sink.takesPipes,
        let result = try outbox.take(from: source, bytesMax: bytesMax, framing: framing.bytes)
      {
        return result
      }
      return try source.pass(bytesMax: min(bytesMax, Self.copyBytesMax)) { bytes in
        do throws(StreamError) {
          try outbox.send(framing.bytes(bytes.byteCount), bytes, on: sink)
        } catch {
          sinkError = error
        }
      }
    } catch {
      throw .source(.stream(error))
    }
  }

  /// What goes out ahead of so many bytes. The end of a chunk travels with the head of the next, which saves
  /// a system call for each.
  private struct Framing {
    let isChunked: Bool
    let isFirst: Bool

    func bytes(_ byteCount: Int) -> [UInt8] {
      guard isChunked else { return [] }
      return (isFirst ? [] : ChunkHead.chunkEnd) + ChunkHead.encoded(byteCount: byteCount)
    }
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
      do throws(StreamError) {
        try outbox.flush(on: sink)
      } catch {
        if heedsSink { return .spoke }
        throw .sink(error)
      }
      if outbox.isEmpty { return .quiet }
      if try await waitForSink(sink) == .spoke { return .spoke }
    }
  }

  private func waitForSink(_ sink: borrowing Stream) async throws(PumpError) -> Sink {
    do throws(StreamError) {
      try await sink.wait(heedsSink ? .readableOrWritable : .writable, urgency: .bulk)
      return heedsSink && sink.hasArrived ? .spoke : .quiet
    } catch {
      throw .sink(error)
    }
  }

  private func waitForSource(
    _ source: borrowing Stream, orSink sink: borrowing Stream
  ) async throws(PumpError) -> Sink {
    do throws(StreamError) {
      guard heedsSink else {
        try await source.wait(.readable, until: stallMax.map { .after($0) }, urgency: .bulk)
        return .quiet
      }
      try await source.waitReadable(or: sink, urgency: .bulk)
      return sink.hasArrived ? .spoke : .quiet
    } catch {
      throw .source(.stream(error))
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
  /// The body could not be read to its end.
  case source(BodyError)
  /// What was read could not be sent.
  case sink(StreamError)
  /// The value is not what was stated or is allowed.
  case refused(Failure)
}
