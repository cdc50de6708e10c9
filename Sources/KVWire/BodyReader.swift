import KVHTTP
import KVLinux

/// Follows a message's body through a stream, by whatever framing it has. It never waits and moves nothing itself: it
/// says how many bytes are the body's, and is told how many were moved.
package struct BodyReader {
  /// What the next bytes are.
  package enum Step: Equatable, Sendable {
    /// The body's, as far as they have come: at most so many may be moved.
    case data(bytesMax: Int)
    /// Framing that has not come yet: the stream must become readable first.
    case wouldBlock
    /// Another message's: the body has ended as its framing says.
    case complete
  }

  private enum State {
    case length(remaining: Int)
    case untilEnd
    case exactly(remaining: Int)
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
      case .exactly(let byteCount): .exactly(remaining: byteCount)
      case .chunked: .chunked(ChunkedDecoder())
      }
  }

  /// Whether the next byte of the stream belongs to another message.
  package var isComplete: Bool {
    if case .complete = state { true } else { false }
  }

  /// How many bytes are still to come, as far as that is known.
  package var announcedBytes: Int {
    switch state {
    case .length(let remaining), .exactly(let remaining): max(remaining, 0)
    case .untilEnd, .chunked, .complete: 0
    }
  }

  /// Tells what the next bytes are; framing ahead of them is taken off the stream.
  package mutating func next(in stream: inout Stream) throws(BodyError) -> Step {
    switch state {
    case .complete: return .complete
    case .untilEnd: return .data(bytesMax: .max)
    case .length(let remaining): return .data(bytesMax: remaining)
    case .exactly(let remaining):
      if remaining > 0 { return .data(bytesMax: remaining + 1) }
      if try Self.isFollowed(&stream) { return .data(bytesMax: 1) }
      state = .complete
      return .complete
    case .chunked(var decoder):
      let step = try Self.next(&decoder, in: &stream)
      state = step == .complete ? .complete : .chunked(decoder)
      return step
    }
  }

  /// Says what moving the bytes came to; the end of the stream is the end of the body only where its framing says so.
  package mutating func advance(_ result: TransferResult) throws(BodyError) {
    switch (result, state) {
    case (.wouldBlock, _): return
    case (.end, .untilEnd), (.end, .exactly): state = .complete
    case (.end, _): throw .brokenOff
    case (.moved(let count), .length(let remaining)):
      precondition(count <= remaining, "more was moved than the body has")
      state = count == remaining ? .complete : .length(remaining: remaining - count)
    case (.moved(let count), .chunked(var decoder)):
      decoder.advance(dataBytes: count)
      state = .chunked(decoder)
    case (.moved, .untilEnd): return
    case (.moved(let count), .exactly(let remaining)): state = .exactly(remaining: remaining - count)
    case (.moved, .complete): preconditionFailure("bytes of another message were moved")
    }
  }

  /// Hands over the next bytes of the body, if some have arrived: nil where they must be waited for, 0 at its end.
  @inline(__always)
  package mutating func pass(
    from stream: inout Stream, to consume: (RawSpan) -> Void
  ) throws(BodyError) -> Int? {
    switch try next(in: &stream) {
    case .complete: return 0
    case .wouldBlock: return nil
    case .data(let bytesMax):
      let result: TransferResult
      do throws(StreamError) { result = try stream.pass(bytesMax: bytesMax, to: consume) } catch {
        throw .stream(error)
      }
      try advance(result)
      switch result {
      case .moved(let count): return count
      case .wouldBlock: return nil
      case .end: return 0
      }
    }
  }

  /// Whether more has come by now than was stated. What is whole by its length needs no word that it has ended.
  private static func isFollowed(_ stream: inout Stream) throws(BodyError) -> Bool {
    if !stream.unread.isEmpty { return true }
    do throws(StreamError) { _ = try stream.fetch(bytesMax: 1) } catch {
      guard case .tls(let reason) = error, reason.isUnannouncedEnd else { throw .stream(error) }
    }
    return !stream.unread.isEmpty
  }

  private static func next(
    _ decoder: inout ChunkedDecoder, in stream: inout Stream
  ) throws(BodyError) -> Step {
    while true {
      let step: ChunkedDecoder.Step
      do throws(HTTPSyntaxError) { step = try decoder.next(stream.unread.span) } catch { throw .malformed(error) }
      switch step {
      case .data(let framingBytes, let remainingBytes):
        stream.dropUnread(framingBytes)
        return .data(bytesMax: remainingBytes)
      case .end(let framingBytes):
        stream.dropUnread(framingBytes)
        return .complete
      case .needMore(let framingBytes):
        stream.dropUnread(framingBytes)
        let result: TransferResult
        do throws(StreamError) { result = try stream.fetch(bytesMax: framingReadBytes) } catch { throw .stream(error) }
        if result == .end { throw .brokenOff }
        if result == .wouldBlock { return .wouldBlock }
      }
    }
  }
}

/// Why a body could not be read to its end.
package enum BodyError: Error, Equatable {
  /// The connection failed.
  case stream(StreamError)
  /// The stream ended before the body did.
  case brokenOff
  /// The framing is not what RFC 9112 section 7.1 says.
  case malformed(HTTPSyntaxError)
}
