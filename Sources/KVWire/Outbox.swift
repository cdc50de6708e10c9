import KVLinux

/// What is still to be sent on a stream: the rest of a piece that the kernel did not take at once, and then what
/// a pipe holds. It has memory or a pipe only while there is something to send.
package struct Outbox: ~Copyable {
  private let pipes: PipePool?
  private var pending: ArraySlice<UInt8> = []
  private var pipe: Pipe?

  package init(pipes: PipePool?) { self.pipes = pipes }

  /// Whether everything has been sent.
  package var isEmpty: Bool { pending.isEmpty && pipe == nil }

  /// Sends the bytes, after their framing, as far as the kernel takes them, and keeps the rest.
  package mutating func send(_ framing: [UInt8], _ bytes: RawSpan, on socket: borrowing Socket) throws(SystemError) {
    precondition(isEmpty, "a piece is sent before the one ahead of it has gone")
    var sent = 0
    if case .moved(let count) = try socket.send(framing.span.bytes, bytes) { sent = count }
    guard sent < framing.count + bytes.byteCount else { return }
    var rest = Array(framing.dropFirst(sent))
    rest.append(copying: bytes.extracting(max(sent - framing.count, 0)..<bytes.byteCount))
    pending = rest[...]
  }

  /// Sends framing alone.
  package mutating func send(_ framing: [UInt8], on socket: borrowing Socket) throws(SystemError) {
    precondition(isEmpty, "a piece is sent before the one ahead of it has gone")
    pending = framing[...]
    _ = try flush(on: socket)
  }

  /// Takes what has arrived on the source into a pipe and sends it, after its framing, as far as the kernel
  /// takes it; nil where no pipe is to be had.
  package mutating func splice(
    from source: borrowing Socket, bytesMax: Int, framing: (Int) -> [UInt8], to sink: borrowing Socket
  ) throws(SpliceError) -> TransferResult? {
    precondition(isEmpty, "a piece is sent before the one ahead of it has gone")
    guard let pipes, var pipe = pipes.take() else { return nil }
    let result: TransferResult
    do throws(SystemError) {
      result = try pipe.fill(from: source, bytesMax: bytesMax)
    } catch {
      pipes.put(pipe)
      throw .source(error)
    }
    guard case .moved(let count) = result else {
      pipes.put(pipe)
      return result
    }
    pending = framing(count)[...]
    self.pipe = consume pipe
    do throws(SystemError) { try flush(on: sink) } catch { throw .sink(error) }
    return result
  }

  /// Sends what is left, as far as the kernel takes it now.
  package mutating func flush(on socket: borrowing Socket) throws(SystemError) {
    while !pending.isEmpty {
      guard case .moved(let count) = try socket.send(pending.span.bytes, more: pipe != nil) else { return }
      pending = pending.dropFirst(count)
    }
    guard var pipe = pipe.take() else { return }
    var result = TransferResult.wouldBlock
    repeat {
      do throws(SystemError) {
        result = try pipe.drain(to: socket, more: false)
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

/// Which end of a splice failed.
package enum SpliceError: Error {
  case source(SystemError)
  case sink(SystemError)
}
