import KVLinux

/// What is still to be sent on a stream: the rest of a piece that the kernel did not take at once.
///
/// It holds one piece at a time, at most a thread buffer and its framing, and memory only while it does.
struct Outbox {
  private var pending: ArraySlice<UInt8> = []

  var isEmpty: Bool { pending.isEmpty }

  /// Sends the parts one after the other as far as the kernel takes them, and keeps the rest.
  mutating func send(
    _ head: [UInt8], _ body: RawSpan, _ tail: [UInt8], on socket: borrowing Socket
  ) throws(SystemError) {
    precondition(pending.isEmpty, "a piece is sent before the one ahead of it has gone")
    var sent = 0
    if case .moved(let count) = try socket.send(head.span.bytes, body, tail.span.bytes) { sent = count }
    let total = head.count + body.byteCount + tail.count
    if sent < total { pending = Self.rest(of: head, body, tail, after: sent) }
  }

  /// Sends what was kept, as far as the kernel takes it now.
  mutating func flush(on socket: borrowing Socket) throws(SystemError) {
    while !pending.isEmpty {
      guard case .moved(let count) = try socket.send(pending.span.bytes) else { return }
      pending = pending.dropFirst(count)
    }
  }

  private static func rest(of head: [UInt8], _ body: RawSpan, _ tail: [UInt8], after sent: Int) -> ArraySlice<UInt8> {
    let bodySent = min(max(sent - head.count, 0), body.byteCount)
    var rest = Array(head.dropFirst(sent))
    rest.append(copying: body.extracting(bodySent..<body.byteCount))
    rest += tail.dropFirst(max(sent - head.count - body.byteCount, 0))
    return rest[...]
  }
}
