import KVCore
import KVHTTP
import KVLinux

/// Moves a body from one stream to several at once, as fast as the slowest of them: what one does not take is held back,
/// one piece at most, and nothing is read meanwhile. One that fails, or takes nothing for too long, is left out, as long as
/// enough remain.
///
/// The bytes go in chunks, through the thread's buffer; `tap` sees each piece before it is sent, and says whether to go on.
package struct Fan {
  /// A stream that takes part. It belongs to the fan until it is released.
  package final class Sink {
    private var stream: Stream?
    fileprivate var outbox = Outbox(pipes: nil)
    /// Why it was left out, if it was.
    package fileprivate(set) var error: StreamError?

    /// A connection that waits for the body.
    package init(_ stream: consuming Stream) { self.stream = consume stream }

    /// Gives the stream back.
    package func release() -> Stream {
      guard let stream = stream.take() else { preconditionFailure("a sink was released twice") }
      return stream
    }

    /// Sends a piece as far as the kernel takes it.
    fileprivate func send(_ framing: [UInt8], _ bytes: RawSpan) {
      guard error == nil, let taken = stream.take() else { return }
      do throws(StreamError) { try outbox.send(framing, bytes, on: taken) } catch { self.error = error }
      stream = consume taken
    }

    /// Sends what is left, waiting as often as needed, each time at most so long.
    fileprivate func flush(within timeout: Duration?) async {
      guard error == nil, !outbox.isEmpty, let taken = stream.take() else { return }
      do throws(StreamError) {
        try outbox.flush(on: taken)
        while !outbox.isEmpty {
          try await taken.wait(.writable, until: timeout.map { .after($0) }, urgency: .bulk)
          try outbox.flush(on: taken)
        }
      } catch {
        self.error = error
      }
      stream = consume taken
    }
  }

  /// Why a fan stopped.
  package enum Failure: Error, Equatable {
    /// The body could not be read to its end.
    case source(BodyError)
    /// Too few sinks are left.
    case tooFew
    /// The tap has said so.
    case stopped
  }

  /// What is held for a slow sink of each piece.
  private static let pieceBytesMax = 256 << 10

  private let sinks: [Sink]
  /// How many sinks must remain.
  private let countMin: Int
  /// For how long one that takes nothing holds up the others, where enough remain without it.
  private let lagMax: Duration?

  /// A fan to those sinks, of which so many must remain.
  package init(to sinks: [Sink], countMin: Int, lagMax: Duration? = nil) {
    self.sinks = sinks
    self.countMin = countMin
    self.lagMax = lagMax
  }

  /// Moves the body to its end and returns how many bytes it has; `tap` sees them all, in order.
  package func run(
    _ body: inout BodyReader, from source: inout Stream, tap: (RawSpan) -> Bool
  ) async throws(Failure) -> Int {
    var turn = Turn()
    var byteCount = 0
    while true {
      switch try next(of: &body, in: &source) {
      case .complete:
        let ending = (byteCount == 0 ? [] : ChunkHead.chunkEnd) + ChunkHead.lastChunk
        ending.withBytes { bytes in for sink in sinks { sink.send([], bytes) } }
        try await flush()
        return byteCount
      case .wouldBlock: try await wait(for: source)
      case .data(let bytesMax):
        let result = try move(min(bytesMax, Self.pieceBytesMax), from: &source, isFirst: byteCount == 0, tap)
        do throws(BodyError) { try body.advance(result) } catch { throw .source(error) }
        if case .moved(let count) = result {
          byteCount += count
          try await flush()
          await turn.moved(count)
        } else if result == .wouldBlock {
          try await wait(for: source)
        }
      }
    }
  }

  private func next(of body: inout BodyReader, in source: inout Stream) throws(Failure) -> BodyReader.Step {
    do throws(BodyError) { return try body.next(in: &source) } catch { throw .source(error) }
  }

  private func move(
    _ bytesMax: Int, from source: inout Stream, isFirst: Bool, _ tap: (RawSpan) -> Bool
  ) throws(Failure) -> TransferResult {
    var goesOn = true
    let result: TransferResult
    do throws(StreamError) {
      result = try source.pass(bytesMax: bytesMax) { bytes in
        goesOn = tap(bytes)
        guard goesOn else { return }
        let framing = (isFirst ? [] : ChunkHead.chunkEnd) + ChunkHead.encoded(byteCount: bytes.byteCount)
        for sink in sinks { sink.send(framing, bytes) }
      }
    } catch {
      throw .source(.stream(error))
    }
    guard goesOn else { throw .stopped }
    return result
  }

  private var countLeft: Int { sinks.count { $0.error == nil } }

  private func flush() async throws(Failure) {
    for sink in sinks { await sink.flush(within: countLeft > countMin ? lagMax : nil) }
    guard countLeft >= countMin else { throw .tooFew }
  }

  private func wait(for source: borrowing Stream) async throws(Failure) {
    do throws(StreamError) {
      try await source.wait(.readable, urgency: .bulk)
    } catch {
      throw .source(.stream(error))
    }
  }
}
