import KVLinux

/// What is still to be sent on a stream: the rest of a piece that the kernel did not take at once, and then what
/// a pipe holds. It has memory or a pipe only while there is something to send.
struct Outbox: ~Copyable {
  private let pipes: PipePool?
  private var pending: ArraySlice<UInt8> = []
  private var pipe: Pipe?

  init(pipes: PipePool?) { self.pipes = pipes }

  /// Whether everything has been sent.
  var isEmpty: Bool { pending.isEmpty && pipe == nil }

  /// Sends the bytes, after their framing, as far as the kernel takes them, and keeps the rest.
  mutating func send(_ framing: [UInt8], _ bytes: RawSpan, on sink: borrowing Stream) throws(StreamError) {
    precondition(isEmpty, "a piece is sent before the one ahead of it has gone")
    var sent = 0
    if case .moved(let count) = try sink.sendNow(framing, bytes) { sent = count }
    guard sent < framing.count + bytes.byteCount else { return }
    var rest = Array(framing.dropFirst(sent))
    rest.append(copying: bytes.extracting(max(sent - framing.count, 0)..<bytes.byteCount))
    pending = rest[...]
  }

  /// Takes what has arrived on the source into a pipe, to be sent after its framing; nil where no pipe is to be had.
  mutating func take(
    from source: borrowing Stream, bytesMax: Int, framing: (Int) -> [UInt8]
  ) throws(StreamError) -> TransferResult? {
    precondition(isEmpty, "a piece is sent before the one ahead of it has gone")
    guard let pipes, var pipe = pipes.take() else { return nil }
    let result: TransferResult
    do throws(StreamError) {
      result = try source.fill(&pipe, bytesMax: bytesMax)
    } catch {
      pipes.put(pipe)
      throw error
    }
    guard case .moved(let count) = result else {
      pipes.put(pipe)
      return result
    }
    pending = framing(count)[...]
    self.pipe = consume pipe
    return result
  }

  /// Takes what a pipe holds too, to be sent after its framing; false where no pipe is to be had for it.
  mutating func share(_ other: borrowing Pipe, framing: [UInt8]) -> Bool {
    precondition(isEmpty, "a piece is sent before the one ahead of it has gone")
    guard let pipes, var pipe = pipes.take() else { return false }
    guard (try? pipe.duplicate(other)) == true else {
      pipes.put(pipe)
      return false
    }
    pending = framing[...]
    self.pipe = consume pipe
    return true
  }

  /// Sends what is left, as far as the kernel takes it now.
  mutating func flush(on sink: borrowing Stream) throws(StreamError) {
    while !pending.isEmpty {
      guard case .moved(let count) = try sink.sendNow(pending, more: pipe != nil) else { return }
      pending = pending.dropFirst(count)
    }
    guard var pipe = pipe.take() else { return }
    var result = TransferResult.wouldBlock
    repeat {
      do throws(StreamError) {
        result = try sink.drain(&pipe)
      } catch {
        pipes?.put(pipe)
        throw error
      }
    } while pipe.byteCount > 0 && result != .wouldBlock
    if pipe.byteCount == 0 { pipes?.put(pipe) } else { self.pipe = consume pipe }
  }

  deinit {
    // A pipe that is still here holds bytes, and is closed with them.
    if pipe != nil { pipes?.forget() }
  }
}
