import KVHTTP
import KVLinux

/// Follows a message's body through a stream, by whatever framing it has. It never waits.
package struct BodyReader {
  /// What one step did.
  package enum Step: Equatable, Sendable {
    /// So many of the body's bytes were handed over.
    case moved(Int)
    /// The stream must become readable first.
    case wouldBlock
    /// The body has ended as its framing says.
    case complete
  }

  private enum State {
    case length(remaining: Int)
    case untilEnd
    case chunked(ChunkedDecoder)
    case complete
  }

  /// How much is read ahead in search of a chunk's head.
  private static let framingReadBytes = 16 * 1024

  private var state: State

  /// Begins a body.
  package init(_ framing: BodyFraming) {
    state =
      switch framing {
      case .none: .complete
      case .length(let byteCount): byteCount == 0 ? .complete : .length(remaining: byteCount)
      case .untilEnd: .untilEnd
      case .chunked: .chunked(ChunkedDecoder())
      }
  }

  /// Whether the next byte of the stream belongs to another message.
  package var isComplete: Bool {
    if case .complete = state { true } else { false }
  }

  /// Hands over the next bytes of the body, if some have arrived.
  @inline(__always)
  package mutating func step<Consumer: Error>(
    from stream: inout Stream, to consume: (RawSpan) throws(Consumer) -> Void
  ) throws(BodyError<Consumer>) -> Step {
    try step(from: &stream) { stream, bytesMax throws(PassError<Consumer>) in
      try stream.pass(bytesMax: bytesMax, to: consume)
    }
  }

  /// Has the next bytes of the body moved, at most as many as `move` is told.
  @inline(__always)
  package mutating func step<Consumer: Error>(
    from stream: inout Stream, by move: (inout Stream, Int) throws(PassError<Consumer>) -> TransferResult
  ) throws(BodyError<Consumer>) -> Step {
    switch state {
    case .complete: return .complete
    case .untilEnd:
      let result = try Self.pass(&stream, bytesMax: .max, by: move)
      if result == .end { state = .complete }
      return Step(result)
    case .length(let remaining):
      let result = try Self.pass(&stream, bytesMax: remaining, by: move)
      guard case .moved(let count) = result else {
        if result == .end { throw .brokenOff }
        return .wouldBlock
      }
      state = count == remaining ? .complete : .length(remaining: remaining - count)
      return .moved(count)
    case .chunked(var decoder):
      let step = try Self.chunkedStep(&decoder, from: &stream, by: move)
      state = step == .complete ? .complete : .chunked(decoder)
      return step
    }
  }

  private static func chunkedStep<Consumer: Error>(
    _ decoder: inout ChunkedDecoder, from stream: inout Stream,
    by move: (inout Stream, Int) throws(PassError<Consumer>) -> TransferResult
  ) throws(BodyError<Consumer>) -> Step {
    while true {
      let step: ChunkedDecoder.Step
      do throws(HTTPSyntaxError) { step = try decoder.next(stream.unread.span) } catch { throw .malformed(error) }
      switch step {
      case .needMore(let framingBytes):
        stream.dropUnread(framingBytes)
        let result: TransferResult
        do throws(StreamError) { result = try stream.fetch(bytesMax: framingReadBytes) } catch { throw .stream(error) }
        if result == .end { throw .brokenOff }
        if result == .wouldBlock { return .wouldBlock }
      case .data(let framingBytes, let remainingBytes):
        stream.dropUnread(framingBytes)
        let result = try pass(&stream, bytesMax: remainingBytes, by: move)
        guard case .moved(let count) = result else {
          if result == .end { throw .brokenOff }
          return .wouldBlock
        }
        decoder.advance(dataBytes: count)
        return .moved(count)
      case .end(let framingBytes):
        stream.dropUnread(framingBytes)
        return .complete
      }
    }
  }

  @inline(__always)
  private static func pass<Consumer: Error>(
    _ stream: inout Stream, bytesMax: Int,
    by move: (inout Stream, Int) throws(PassError<Consumer>) -> TransferResult
  ) throws(BodyError<Consumer>) -> TransferResult {
    do throws(PassError<Consumer>) {
      return try move(&stream, bytesMax)
    } catch {
      switch error {
      case .stream(let error): throw .stream(error)
      case .consumer(let error): throw .consumer(error)
      }
    }
  }
}

extension BodyReader.Step {
  fileprivate init(_ result: TransferResult) {
    self =
      switch result {
      case .moved(let count): .moved(count)
      case .wouldBlock: .wouldBlock
      case .end: .complete
      }
  }
}

/// Why a body could not be read to its end.
package enum BodyError<Consumer: Error>: Error {
  /// The connection failed.
  case stream(StreamError)
  /// The stream ended before the body did.
  case brokenOff
  /// The framing is not what RFC 9112 section 7.1 says.
  case malformed(HTTPSyntaxError)
  /// Whoever takes the bytes could not.
  case consumer(Consumer)
}
