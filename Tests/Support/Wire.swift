import Glibc
import KVLinux
import KVWire
import Testing

/// The tests' own end of a TCP connection on the loopback, and the threads it is used on.
@frozen package struct Wire: ~Copyable, Sendable {
  /// How the other side ended the connection.
  package enum Ending: Equatable {
    case clean
    case reset
  }

  /// The threads for tests. Made once: executors live as long as the process.
  package static let executor: IOExecutor = {
    // As the daemon does: splice(2) and sendfile(2) have no flag against the signal.
    _ = signal(SIGPIPE, SIG_IGN)
    _ = try? Process.raiseOpenFilesLimit()
    guard let executor = try? IOExecutor(name: "test", threadCount: 4) else { preconditionFailure("no threads") }
    return executor
  }()

  /// Runs a test that waits for sockets.
  package static func test(_ work: @Sendable () async throws -> Void) async throws {
    try await withTaskExecutorPreference(executor, operation: work)
  }

  package var stream: Stream

  package init(_ stream: consuming Stream) { self.stream = stream }

  /// Connects to a port of 127.0.0.1.
  package static func connect(_ port: UInt16) async throws -> Wire {
    let address = SocketAddress(.v4(0x7f00_0001), port: port)
    return Wire(try await Stream.connect(to: [address], within: .seconds(20), idleTimeout: .seconds(30)))
  }

  /// Sends all the bytes.
  package func send(_ bytes: [UInt8]) async throws { try await stream.send(bytes) }

  /// Sends a text.
  package func send(_ text: String) async throws { try await stream.send(Array(text.utf8)) }

  /// Sends a payload in random pieces with random pauses.
  package func send(_ payload: Payload, _ generator: inout SeededGenerator) async throws {
    var offset = 0
    for piece in generator.pieces(of: payload.byteCount) {
      try await stream.send(payload.bytes(at: offset, count: piece))
      offset += piece
      await Wire.pause(&generator)
    }
  }

  /// Lets others run, now and then.
  package static func pause(_ generator: inout SeededGenerator) async {
    guard generator.once(in: 4) else { return }
    for _ in 0..<(generator.next() % 8) { await Task.yield() }
  }

  /// Tells the other side that nothing more will come.
  package func endSending() throws { try stream.shutdownSending() }

  /// Closes in order, provided that nothing is left to be read.
  package consuming func close() {}

  /// Closes by a reset.
  package consuming func reset() { stream.setResetOnClose(true) }

  /// Everything until the end, and what kind of end it was.
  package mutating func receiveAll() async throws -> (bytes: [UInt8], ending: Ending) {
    var bytes: [UInt8] = []
    while true {
      do throws(StreamError) {
        let isMore = try await stream.fill(bytesMax: 256 << 10)
        bytes += stream.takeUnread(stream.unread.count)
        if !isMore { return (bytes, .clean) }
      } catch {
        guard case .failed(let failure) = error, failure.code == ECONNRESET else { throw error }
        return (bytes, .reset)
      }
    }
  }

  /// Everything until a clean end, as text.
  package mutating func receiveText() async throws -> String {
    let (bytes, ending) = try await receiveAll()
    #expect(ending == .clean)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// So many bytes, which must come.
  package mutating func receive(_ byteCount: Int) async throws -> [UInt8] {
    while stream.unread.count < byteCount {
      try #require(try await stream.fill(bytesMax: byteCount - stream.unread.count), "the connection ended early")
    }
    return Array(stream.takeUnread(byteCount))
  }

  /// The bytes through the marker, as text.
  package mutating func receive(through marker: String) async throws -> String {
    var text = ""
    while !text.hasSuffix(marker) { text += String(decoding: try await receive(1), as: UTF8.self) }
    return text
  }

  /// Compares what comes with the payload until a clean end.
  package mutating func receive(_ payload: Payload, _ generator: inout SeededGenerator, isSlow: Bool) async throws
    -> Bool
  {
    var offset = 0
    while true {
      let bytesMax = isSlow ? max(generator.size(through: 16 << 10), payload.byteCount / 500, 1) : 256 << 10
      let isMore = try await stream.fill(bytesMax: bytesMax)
      guard payload.matches(stream.unread, at: offset) else { return false }
      offset += stream.unread.count
      stream.dropUnread(stream.unread.count)
      if !isMore { return offset == payload.byteCount }
      if isSlow { await Wire.pause(&generator) }
    }
  }
}

extension PipePool {
  /// Whether every pipe that was made has come back or been closed.
  package var isWhole: Bool { counts.made == counts.idle && counts.made <= 48 }
}
