import KVCore
import KVHTTP
import KVLinux

/// Moves a body from one stream to several at once, as fast as the slowest of them: what one does not take is held back,
/// one piece at most, and nothing is read meanwhile. One that fails, or takes next to nothing for too long, is left out, as
/// long as enough remain.
///
/// `tap` sees each piece, and says whether to go on; the sinks get it through pipes where those are to be had, without
/// copying, else through the thread's buffer.
package struct Fan {
  /// A stream that takes part. It belongs to the fan until it is released.
  package final class Sink {
    private var stream: Stream?
    private var outbox: Outbox
    private var lag = Lag()
    /// Whether it was left out.
    package private(set) var isLeftOut = false

    /// A connection that waits for the body.
    package init(_ stream: consuming Stream, pipes: PipePool?) {
      self.stream = consume stream
      outbox = Outbox(pipes: pipes)
    }

    /// Gives the stream back.
    package func release() -> Stream {
      guard let stream = stream.take() else { preconditionFailure("a sink was released twice") }
      return stream
    }

    /// Leaves it out if it has something to say before it has all: that can only be that it takes no more.
    fileprivate func heed() {
      if !isLeftOut, stream?.hasArrived == true { leaveOut() }
    }

    /// What it holds is of no use any more, and the pipe may be of use to others.
    private func leaveOut() {
      isLeftOut = true
      outbox = Outbox(pipes: nil)
    }

    /// Sends a piece as far as the kernel takes it.
    fileprivate func send(_ framing: [UInt8], _ bytes: RawSpan) {
      guard !isLeftOut, let taken = stream.take() else { return }
      do throws(StreamError) { try outbox.send(framing, bytes, on: taken) } catch { leaveOut() }
      stream = consume taken
    }

    /// Sends what a pipe holds as well, as far as the kernel takes it; false where it has to be copied.
    fileprivate func send(_ framing: [UInt8], sharing pipe: borrowing Pipe) -> Bool {
      guard !isLeftOut, let taken = stream.take() else { return true }
      let isShared = taken.takesPipes && outbox.share(pipe, framing: framing)
      if isShared {
        do throws(StreamError) { try outbox.flush(on: taken) } catch { leaveOut() }
      }
      stream = consume taken
      return isShared
    }

    /// Whether it has yet to take what it was sent.
    fileprivate var isBehind: Bool { !isLeftOut && !outbox.isEmpty }

    /// Sends what is left, waiting as often as needed. Where it can be left out, only as long as its patience lasts.
    fileprivate func flush(_ patience: Patience?) async {
      guard isBehind, let taken = stream.take() else { return }
      do throws(StreamError) {
        try outbox.flush(on: taken)
        while !outbox.isEmpty {
          let began = Instant.now
          try await taken.wait(.writable, until: patience.map { began.advanced(by: $0.lagMax) }, urgency: .bulk)
          try outbox.flush(on: taken)
          guard let patience else { continue }
          let now = Instant.now
          if patience.isAlone { lag.waited(now.since(began)) }
          let elapsed = now.since(patience.began)
          if lag.isTooMuch(of: patience.byteCount, in: elapsed, lagMax: patience.lagMax) { throw .timedOut }
        }
      } catch {
        leaveOut()
      }
      stream = consume taken
    }
  }

  /// How long one sink may hold up the others.
  fileprivate struct Patience {
    /// For how long without taking anything, or in all.
    let lagMax: Duration
    /// Whether it is the only one that the others wait for.
    let isAlone: Bool
    /// Since when, and how many bytes have been moved since.
    let began: Instant
    let byteCount: Int
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

  /// What is held for a slow sink of each piece, in memory and in a pipe. Pieces twice as large cost a twentieth less, since
  /// there is half as much waiting for each other.
  private static let copiedBytesMax = 256 << 10
  private static let splicedBytesMax = 512 << 10
  /// Below so many bytes left, pipes cost more than copies.
  private static let spliceBytesMin = 64 << 10

  private let sinks: [Sink]
  private let pipes: PipePool?
  /// Whether the body goes out in chunks.
  private let framesChunks: Bool
  /// How many sinks must remain.
  private let countMin: Int
  /// For how long one that takes nothing, or next to nothing, holds up the others, where enough remain without it.
  private let lagMax: Duration?

  /// A fan to those sinks, of which so many must remain; nil for the pipes copies everything.
  package init(to sinks: [Sink], pipes: PipePool?, framesChunks: Bool, countMin: Int, lagMax: Duration? = nil) {
    self.sinks = sinks
    self.pipes = pipes
    self.framesChunks = framesChunks
    self.countMin = countMin
    self.lagMax = lagMax
  }

  /// Moves the body to its end and returns how many bytes it has; `tap` sees them all, in order.
  package func run(
    _ body: inout BodyReader, from source: inout Stream, tap: (RawSpan) -> Bool
  ) async throws(Failure) -> Int {
    var turn = Turn()
    var byteCount = 0
    let began = Instant.now
    while true {
      switch try next(of: &body, in: &source) {
      case .complete:
        if framesChunks {
          let ending = (byteCount == 0 ? [] : ChunkHead.chunkEnd) + ChunkHead.lastChunk
          ending.withBytes { bytes in for sink in sinks { sink.send([], bytes) } }
          try await flush(byteCount, since: began)
        }
        return byteCount
      case .wouldBlock: try await wait(for: source)
      case .data(let bytesMax):
        for sink in sinks { sink.heed() }
        let result = try move(bytesMax, from: &source, isFirst: byteCount == 0, tap)
        do throws(BodyError) { try body.advance(result) } catch { throw .source(error) }
        if case .moved(let count) = result {
          byteCount += count
          try await flush(byteCount, since: began)
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
    // What was read along with the head is in memory already.
    if source.unread.isEmpty, bytesMax >= Self.spliceBytesMin, !sinks.isEmpty, source.takesPipes, let pipes,
      var pipe = pipes.take()
    {
      let shared = share(&pipe, min(bytesMax, Self.splicedBytesMax), from: source, isFirst: isFirst, tap)
      pipes.put(pipe)
      return try shared.get()
    }
    var goesOn = true
    let result: TransferResult
    do throws(StreamError) {
      result = try source.pass(bytesMax: min(bytesMax, Self.copiedBytesMax)) { bytes in
        goesOn = tap(bytes)
        guard goesOn else { return }
        for sink in sinks { sink.send(framing(bytes.byteCount, isFirst: isFirst), bytes) }
      }
    } catch {
      throw .source(.stream(error))
    }
    guard goesOn else { throw .stopped }
    return result
  }

  /// Moves what has arrived through a pipe, of which each sink gets a duplicate. They go first: whoever receives may be at
  /// work while this thread is.
  ///
  /// The kernel passes on the pages themselves. Whoever sends from the same host could change them in between, and each
  /// sink then gets other bytes: so each has to check what it got.
  private func share(
    _ pipe: inout Pipe, _ bytesMax: Int, from source: borrowing Stream, isFirst: Bool, _ tap: (RawSpan) -> Bool
  ) -> Result<TransferResult, Failure> {
    do {
      let result = try source.fill(&pipe, bytesMax: bytesMax)
      guard case .moved(let count) = result else { return .success(result) }
      let framing = framing(count, isFirst: isFirst)
      let others = sinks.filter { !$0.send(framing, sharing: pipe) }
      let goesOn = try ThreadBuffer.withBytes { buffer throws(StreamError) in
        let filled = try pipe.emptied(into: &buffer)
        let bytes = buffer.bytes.extracting(first: filled)
        for sink in others { sink.send(framing, bytes) }
        return tap(bytes)
      }
      return goesOn ? .success(result) : .failure(.stopped)
    } catch {
      return .failure(.source(.stream(error)))
    }
  }

  private func framing(_ byteCount: Int, isFirst: Bool) -> [UInt8] {
    guard framesChunks else { return [] }
    return (isFirst ? [] : ChunkHead.chunkEnd) + ChunkHead.encoded(byteCount: byteCount)
  }

  private var countLeft: Int { sinks.count { !$0.isLeftOut } }

  private func flush(_ byteCount: Int, since began: Instant) async throws(Failure) {
    let behindCount = sinks.count { $0.isBehind }
    for sink in sinks where sink.isBehind {
      let patience = countLeft > countMin ? lagMax : nil
      await sink.flush(
        patience.map { Patience(lagMax: $0, isAlone: behindCount == 1, began: began, byteCount: byteCount) })
    }
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

extension Pipe {
  /// Moves all that it holds into the buffer, and returns how much that is.
  fileprivate mutating func emptied(into buffer: inout MutableRawSpan) throws(StreamError) -> Int {
    do throws(SystemError) { return try empty(into: &buffer) } catch { throw .failed(error) }
  }
}
