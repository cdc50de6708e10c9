import KVCore
import KVLinux

/// A connection that a task can await: a `Socket`, the waiting with an idle limit, and what has been received
/// but not yet used.
///
/// It belongs to one task at a time, which runs on an `IOExecutor`.
@frozen package struct Stream: ~Copyable, Sendable {
  /// The socket itself, for steps that must not wait.
  package let socket: Socket
  /// How long a call waits without a byte being moved.
  package var idleTimeout: Duration
  /// Bytes received beyond what has been used, oldest first.
  package private(set) var unread: ArraySlice<UInt8> = []

  /// A stream over a connected socket.
  package init(_ socket: consuming Socket, idleTimeout: Duration) {
    self.socket = socket
    self.idleTimeout = idleTimeout
  }

  /// Connects to the first of the addresses that answers, all of them within the time given.
  package static func connect(
    to addresses: [SocketAddress], within timeout: Duration, idleTimeout: Duration
  ) async throws(StreamError) -> Stream {
    let deadline = Instant.after(timeout)
    var lastError = StreamError.timedOut
    for address in addresses {
      do throws(StreamError) {
        return try await connect(to: address, until: deadline, idleTimeout: idleTimeout)
      } catch {
        lastError = error
        guard case .failed = error else { break }
      }
    }
    throw lastError
  }

  private static func connect(
    to address: SocketAddress, until deadline: Instant, idleTimeout: Duration
  ) async throws(StreamError) -> Stream {
    let stream = Stream(
      try failing { () throws(SystemError) in try .connecting(to: address) }, idleTimeout: idleTimeout)
    try await IOExecutor.current.wait(for: .writable(stream.socket.descriptor), until: deadline).check()
    if let error = try failing({ () throws(SystemError) in try stream.socket.connectionError() }) {
      throw .failed(error)
    }
    return stream
  }

  /// Waits until something arrives and adds it to the unread bytes, at most so many.
  ///
  /// False at the end of the stream. `interruptible` lets `IOExecutor.interruptWaits` end the wait.
  package mutating func fill(
    bytesMax: Int, until deadline: Instant? = nil, interruptible: Bool = false
  ) async throws(StreamError) -> Bool {
    while true {
      switch try fetch(bytesMax: bytesMax) {
      case .moved: return true
      case .end: return false
      case .wouldBlock: try await waitReadable(until: deadline, interruptible: interruptible)
      }
    }
  }

  /// Adds what has arrived to the unread bytes, at most so many, without waiting.
  package mutating func fetch(bytesMax: Int) throws(StreamError) -> TransferResult {
    var received: [UInt8] = []
    let result = try Self.failing { () throws(SystemError) in
      try ThreadBuffer.withBytes { bytes throws(SystemError) in
        let result = try socket.receive(into: &bytes, bytesMax: bytesMax)
        if case .moved(let count) = result { received = Array(copying: bytes.bytes.extracting(first: count)) }
        return result
      }
    }
    unread = unread.isEmpty ? received[...] : unread + received
    return result
  }

  /// Takes unread bytes out.
  package mutating func takeUnread(_ byteCount: Int) -> ArraySlice<UInt8> {
    let taken = unread.prefix(byteCount)
    unread = unread.dropFirst(byteCount)
    return taken
  }

  /// Forgets unread bytes that have been used where they stood.
  package mutating func dropUnread(_ byteCount: Int) { unread = unread.dropFirst(byteCount) }

  /// Hands over the next bytes, at most so many: unread ones first, else what has arrived. Does not wait.
  ///
  /// `consume` is called at most once, with at least one byte, and must take them all.
  @inline(__always)
  package mutating func pass<Failure: Error>(
    bytesMax: Int, to consume: (RawSpan) throws(Failure) -> Void
  ) throws(PassError<Failure>) -> TransferResult {
    if !unread.isEmpty {
      let bytes = Array(takeUnread(min(bytesMax, unread.count)))
      do throws(Failure) { try consume(bytes.span.bytes) } catch { throw .consumer(error) }
      return .moved(bytes.count)
    }
    return try ThreadBuffer.withBytes { bytes throws(PassError<Failure>) in
      let result: TransferResult
      do throws(SystemError) {
        result = try socket.receive(into: &bytes, bytesMax: bytesMax)
      } catch {
        throw .stream(.failed(error))
      }
      if case .moved(let count) = result {
        do throws(Failure) { try consume(bytes.bytes.extracting(first: count)) } catch { throw .consumer(error) }
      }
      return result
    }
  }

  /// Sends all the bytes, waiting as often as needed.
  package func send(_ bytes: [UInt8]) async throws(StreamError) {
    var sent = 0
    while sent < bytes.count {
      let result = try Self.failing { () throws(SystemError) in
        try socket.send(bytes.span.bytes.extracting(sent..<bytes.count))
      }
      switch result {
      case .moved(let count): sent += count
      case .wouldBlock, .end: try await waitWritable()
      }
    }
  }

  /// Waits until bytes, the end of the stream or an error can be read.
  package func waitReadable(until deadline: Instant? = nil, interruptible: Bool = false) async throws(StreamError) {
    let deadline = deadline ?? .after(idleTimeout)
    try await IOExecutor.current.wait(
      for: .readable(socket.descriptor), until: deadline, interruptible: interruptible
    ).check()
  }

  /// Waits until bytes can be sent.
  package func waitWritable() async throws(StreamError) {
    try await IOExecutor.current.wait(for: .writable(socket.descriptor), until: .after(idleTimeout)).check()
  }

  /// Waits until bytes can be sent, or something can be read.
  package func waitWritableOrReadable() async throws(StreamError) {
    try await IOExecutor.current.wait(for: .readableOrWritable(socket.descriptor), until: .after(idleTimeout)).check()
  }

  /// Whether something can be read: bytes, the end of the stream or an error.
  package var hasArrived: Bool {
    guard !unread.isEmpty else { return (try? socket.peek()) != .wouldBlock }
    return true
  }

  /// Waits until something can be read here or from the other stream.
  package func waitReadable(or other: borrowing Stream) async throws(StreamError) {
    try await IOExecutor.current.wait(
      for: .readable(socket.descriptor), or: .readable(other.socket.descriptor), until: .after(idleTimeout)
    ).check()
  }

  private static func failing<Result: ~Copyable>(
    _ call: () throws(SystemError) -> Result
  ) throws(StreamError) -> Result {
    do throws(SystemError) { return try call() } catch { throw .failed(error) }
  }
}

/// Why a stream cannot go on.
package enum StreamError: Error, Equatable, Sendable, CustomStringConvertible {
  /// No byte moved within the limit.
  case timedOut
  /// This process is stopping.
  case stopped
  /// The connection failed, most often because the other side reset it.
  case failed(SystemError)

  /// The reason in a few words.
  package var description: String {
    switch self {
    case .timedOut: "timed out"
    case .stopped: "the node is stopping"
    case .failed(let error): error.reason.lowercasedFirst
    }
  }
}

/// Which end of `Stream.pass` failed.
package enum PassError<Consumer: Error>: Error {
  case stream(StreamError)
  case consumer(Consumer)
}

extension IOExecutor.Wakeup {
  /// Turns a wait that did not end well into an error.
  package func check() throws(StreamError) {
    switch self {
    case .ready: return
    case .timedOut: throw .timedOut
    case .interrupted, .cancelled: throw .stopped
    }
  }
}

extension String {
  fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}

extension Stream {
  /// How long a closing connection may send what nobody wants before it is cut, and how long it may be silent.
  private static let lingerTimeout = Duration.seconds(30)
  private static let lingerIdleTimeout = Duration.seconds(5)
  private static let discardBytesMax = 1 << 20

  /// Closes the connection so that the other side gets all that was sent.
  ///
  /// Closing a socket with unread bytes resets it, and the other side may lose the answer: so what it still
  /// sends is read and dropped until it has closed its half too, for a limited time.
  package consuming func closeInOrder() async {
    guard (try? socket.shutdownSending()) != nil else { return }
    let deadline = Instant.after(Self.lingerTimeout)
    idleTimeout = Self.lingerIdleTimeout
    while Instant.now < deadline {
      do {
        switch try socket.discard(bytesMax: Self.discardBytesMax) {
        case .end: return
        case .moved: await Task.yield()
        case .wouldBlock: try await waitReadable()
        }
      } catch {
        return
      }
    }
  }
}
