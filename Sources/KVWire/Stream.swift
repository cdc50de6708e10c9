import KVCore
import KVLinux

/// A connection that a task can await: the waiting with an idle limit, and what has been received but not yet used.
/// What carries its bytes, a plain socket today, is its own affair.
///
/// It belongs to one task at a time, which runs on an `IOExecutor`.
@frozen package struct Stream: ~Copyable, Sendable {
  let socket: Socket
  /// What encrypts its bytes; nil where they go as they are.
  package internal(set) var session: TLSSession?
  /// How long a call waits without a byte being moved.
  package var idleTimeout: Duration
  /// Bytes received beyond what has been used, oldest first.
  package private(set) var unread: ArraySlice<UInt8> = []

  /// A stream over a connected socket.
  package init(_ socket: consuming Socket, idleTimeout: Duration) {
    self.socket = socket
    self.idleTimeout = idleTimeout
  }

  /// The other side's address, or nil once the connection is gone.
  package var peer: SocketAddress? { socket.peer }

  /// This side's address, if it can still be told.
  package var local: SocketAddress? { socket.local }

  /// Waits until something arrives and adds it to the unread bytes, at most so many.
  ///
  /// False at the end of the stream. The interrupter, or for an interruptible wait `IOExecutor.interruptWaits`, ends it.
  package mutating func fill(
    bytesMax: Int, until deadline: Instant? = nil, interruptible: Bool = false, by interrupter: Interrupter? = nil
  ) async throws(StreamError) -> Bool {
    while true {
      switch try fetch(bytesMax: bytesMax) {
      case .moved: return true
      case .end: return false
      case .wouldBlock:
        try await wait(.readable, until: deadline, interruptible: interruptible, by: interrupter)
      }
    }
  }

  /// Adds what has arrived to the unread bytes, at most so many, without waiting.
  package mutating func fetch(bytesMax: Int) throws(StreamError) -> TransferResult {
    var received: [UInt8] = []
    let result = try ThreadBuffer.withBytes { bytes throws(StreamError) in
      let result = try receive(into: &bytes, bytesMax: bytesMax)
      if case .moved(let count) = result { received = Array(copying: bytes.bytes.extracting(first: count)) }
      return result
    }
    unread = unread.isEmpty ? received[...] : unread + received
    return result
  }

  /// Takes unread bytes out.
  package mutating func takeUnread(_ byteCount: Int) -> ArraySlice<UInt8> {
    let taken = unread.prefix(byteCount)
    dropUnread(byteCount)
    return taken
  }

  /// Forgets unread bytes that have been used where they stood.
  package mutating func dropUnread(_ byteCount: Int) {
    // An empty slice would keep what it was cut from, and many connections wait with nothing unread.
    unread = byteCount >= unread.count ? [] : unread.dropFirst(byteCount)
  }

  /// Hands over the next bytes, at most so many: unread ones first, else what has arrived. Does not wait.
  ///
  /// `consume` is called at most once, with at least one byte, and must take them all.
  @inline(__always)
  package mutating func pass(
    bytesMax: Int, to consume: (RawSpan) -> Void
  ) throws(StreamError) -> TransferResult {
    if !unread.isEmpty {
      let bytes = takeUnread(min(bytesMax, unread.count))
      bytes.withBytes(consume)
      return .moved(bytes.count)
    }
    return try ThreadBuffer.withBytes { bytes throws(StreamError) in
      let result = try receive(into: &bytes, bytesMax: bytesMax)
      if case .moved(let count) = result { consume(bytes.bytes.extracting(first: count)) }
      return result
    }
  }

  private func receive(into bytes: inout MutableRawSpan, bytesMax: Int) throws(StreamError) -> TransferResult {
    if let session {
      do throws(TLSError) { return try session.receive(into: &bytes, bytesMax: bytesMax) } catch { throw .tls(error) }
    }
    do throws(SystemError) {
      return try socket.receive(into: &bytes, bytesMax: bytesMax)
    } catch {
      throw .failed(error)
    }
  }

  /// Sends all the bytes, waiting as often as needed; `more` says that others follow at once.
  package func send(_ bytes: [UInt8], more: Bool = false) async throws(StreamError) {
    try await send(bytes[...], more: more)
  }

  /// Sends all the bytes, waiting as often as needed; `more` says that others follow at once.
  package func send(_ bytes: ArraySlice<UInt8>, more: Bool = false) async throws(StreamError) {
    var rest = bytes
    while !rest.isEmpty {
      if case .moved(let count) = try sendNow(rest, more: more) {
        rest = rest.dropFirst(count)
      } else {
        try await wait(.writable)
      }
    }
  }

  /// Gives bytes to the kernel as far as it takes them; `more` says that others follow at once.
  package func sendNow(_ bytes: ArraySlice<UInt8>, more: Bool = false) throws(StreamError) -> TransferResult {
    if let session { return try bytes.withBytes { bytes throws(StreamError) in try session.sendNow(bytes) } }
    do throws(SystemError) {
      return try bytes.withBytes { bytes throws(SystemError) in try socket.send(bytes, more: more) }
    } catch {
      throw .failed(error)
    }
  }

  /// Gives a head and what follows it to the kernel as if they were one, as far as it takes them.
  package func sendNow(_ head: [UInt8], _ body: RawSpan) throws(StreamError) -> TransferResult {
    if let session {
      let sent = head.isEmpty ? .moved(0) : try sendNow(head[...])
      guard sent == .moved(head.count), body.byteCount > 0, case .moved(let count) = try session.sendNow(body) else {
        return sent
      }
      return .moved(head.count + count)
    }
    do throws(SystemError) {
      return try head.withBytes { head throws(SystemError) in try socket.send(head, body) }
    } catch {
      throw .failed(error)
    }
  }

  /// Sends bytes of a file, without copying them where they go as they are, as far as the kernel takes them, and moves the
  /// offset past them.
  package func sendNow(
    _ file: borrowing File, at offset: inout Int, bytesMax: Int
  ) throws(StreamError) -> TransferResult {
    if let session { return try session.sendNow(file, at: &offset, bytesMax: bytesMax) }
    do throws(SystemError) {
      return try socket.send(file: file, at: &offset, bytesMax: bytesMax)
    } catch {
      throw .failed(error)
    }
  }

  /// Whether nobody on the way can read its bytes.
  package var isEncrypted: Bool { session != nil }

  /// Whether the other side has shown a certificate that is for one of the hosts.
  package func isFrom(_ hosts: [PeerAddress.Host]) -> Bool { session?.isFrom(hosts) ?? false }

  /// The name in the certificate that the other side has shown as a client.
  package var clientName: String? { session?.clientName }

  /// What the next connection to the same host can go on with.
  package var resumption: TLSResumption? { session?.resumption }

  /// Whether its bytes can go through a pipe: encrypted ones would come out as they are on the wire.
  package var takesPipes: Bool { session == nil }

  /// Moves what has arrived, at most so many bytes, into an empty pipe without copying. To be called only while nothing
  /// is unread.
  package func fill(_ pipe: inout Pipe, bytesMax: Int) throws(StreamError) -> TransferResult {
    do throws(SystemError) { return try pipe.fill(from: socket, bytesMax: bytesMax) } catch { throw .failed(error) }
  }

  /// Sends what a pipe holds, as far as the kernel takes it.
  package func drain(_ pipe: inout Pipe) throws(StreamError) -> TransferResult {
    do throws(SystemError) { return try pipe.drain(to: socket, more: false) } catch { throw .failed(error) }
  }

  /// What a stream is waited for.
  package enum Readiness: Sendable {
    /// Bytes, the end of the stream or an error can be read.
    case readable
    /// Bytes can be sent.
    case writable
    /// Either.
    case readableOrWritable

    /// The other direction.
    fileprivate var crossed: Readiness {
      switch self {
      case .readable: .writable
      case .writable: .readable
      case .readableOrWritable: .readableOrWritable
      }
    }
  }

  /// Waits until the stream is ready for that, by default within the idle limit.
  package func wait(
    _ readiness: Readiness, until deadline: Instant? = nil, urgency: IOExecutor.Urgency = .prompt,
    interruptible: Bool = false, by interrupter: Interrupter? = nil
  ) async throws(StreamError) {
    if readiness != .writable, session?.mayHoldMore == true { return }
    try await IOExecutor.current.wait(
      for: socket.interest(session?.isCrossed == true ? readiness.crossed : readiness),
      until: deadline ?? .after(idleTimeout), urgency: urgency,
      interruptible: interruptible, by: interrupter
    ).check()
  }

  /// Waits until something can be read here or from the other stream.
  package func waitReadable(
    or other: borrowing Stream, urgency: IOExecutor.Urgency = .prompt
  ) async throws(StreamError) {
    if session?.mayHoldMore == true || other.session?.mayHoldMore == true { return }
    try await IOExecutor.current.wait(
      for: socket.interest(.readable), or: other.socket.interest(.readable), until: .after(idleTimeout),
      urgency: urgency
    ).check()
  }

  /// Whether something can be read: bytes, the end of the stream or an error.
  package var hasArrived: Bool {
    if !unread.isEmpty { return true }
    return session.map { $0.hasArrived() } ?? ((try? socket.peek()) != .wouldBlock)
  }

  /// Tells the other side that nothing more will come.
  package func shutdownSending() throws(StreamError) {
    do throws(SystemError) { try socket.shutdownSending() } catch { throw .failed(error) }
  }

  /// Whether the closing of this connection, by whatever closes it, is a reset: the other side then sees an error and
  /// no clean end.
  package func setResetOnClose(_ resets: Bool) { socket.setResetOnClose(resets) }

  /// How long what was sent may stay unacknowledged before the connection is given up. A closed window counts too.
  package func setAcknowledgementTimeout(_ timeout: Duration) { socket.setAcknowledgementTimeout(timeout) }

  private static let discardBytesMax = 1 << 20

  /// Closes the connection so that the other side gets all that was sent.
  ///
  /// Closing a socket with unread bytes resets it, and the other side may lose the answer: so what it still
  /// sends is read and dropped until it has closed its half too, within limits that follow what it has announced.
  package consuming func closeInOrder(announcedBytes: Int = 0, by interrupter: Interrupter? = nil) async {
    await announceEnd(by: interrupter)
    // What still comes is dropped as it is.
    session = nil
    guard (try? socket.shutdownSending()) != nil else { return }
    let linger = Linger(announcedBytes: announcedBytes)
    let deadline = Instant.after(linger.timeout)
    idleTimeout = Linger.idleTimeout
    var turn = Turn()
    var takenBytes = 0
    while Instant.now < deadline, linger.bytesMax.map({ takenBytes < $0 }) ?? true {
      do {
        switch try socket.discard(bytesMax: Self.discardBytesMax) {
        case .end: return
        case .moved(let count):
          takenBytes += count
          await turn.moved(count)
        case .wouldBlock: try await wait(.readable, urgency: .bulk, by: interrupter)
        }
      } catch {
        return
      }
    }
  }
}

extension Socket {
  fileprivate func interest(_ readiness: Stream.Readiness) -> IOExecutor.Interest {
    switch readiness {
    case .readable: .readable(descriptor)
    case .writable: .writable(descriptor)
    case .readableOrWritable: .readableOrWritable(descriptor)
    }
  }
}

/// Why a stream cannot go on.
package enum StreamError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No byte moved within the limit.
  case timedOut
  /// This process is stopping, or has no more time for this connection.
  case stopped
  /// The connection failed, most often because the other side reset it.
  case failed(SystemError)
  /// Its encryption failed, or it ended without the other side saying so.
  case tls(TLSError)

  /// The reason in a few words.
  package var description: String {
    switch self {
    case .timedOut: "timed out"
    case .stopped: "the node is stopping"
    case .failed(let error): error.reason.lowercasedFirst
    case .tls(let error): error.description
    }
  }
}

extension IOExecutor.Wakeup {
  /// Turns a wait that did not end well into an error.
  package func check() throws(StreamError) {
    switch self {
    case .ready: return
    case .timedOut: throw .timedOut
    case .interrupted, .cancelled: throw .stopped
    case .failed(let error): throw .failed(error)
    }
  }
}

extension String {
  fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
