import Glibc
import KVHTTP
@testable import KVLinux
import Testing
import TestSupport

@testable import KVWire

/// Both ways in which a pump moves bytes: whatever holds for one holds for the other.
enum PumpVariant: String, CaseIterable, Sendable {
  /// The one to measure the other by.
  case copying
  case splicing

  func makePool() -> PipePool? { self == .splicing ? PipePool() : nil }
}

/// What a pump's run came to.
enum PumpOutcome: Equatable {
  /// The bytes that followed the body on the source.
  case complete(rest: [UInt8])
  /// What the sink said.
  case sinkSpoke(answer: [UInt8])
  case failed(String)
}

/// One run of a pump, between two connections whose other ends are the test's.
struct PumpRun: Sendable {
  /// What the reader of the sink got.
  typealias Received = (bytes: [UInt8], ending: Wire.Ending)

  let pump: Pump
  let framing: BodyFraming
  /// How many bytes are read ahead, as happens with a head.
  var readAheadBytes = 0
  /// The size of the buffers on the way to the reader; nil leaves it to the kernel.
  var sinkBufferBytes: Int?
  var idleTimeout = Duration.seconds(60)
  /// How many bytes of an answer are expected from the sink.
  var answerBytes = 0

  /// Runs the pump while the closures send and receive; an error of the writer is its own matter.
  func run(
    _ port: borrowing ListeningPort, write: @escaping @Sendable (inout Wire) async throws -> Void,
    read: @escaping @Sendable (inout Wire) async throws -> Received
  ) async throws -> (outcome: PumpOutcome, received: Received) {
    let source = try await WirePair(port).split()
    let sink = try await WirePair(port).split()
    async let writing: Void = {
      var wire = source.near.take()
      try await write(&wire)
    }()
    async let reading = {
      var wire = sink.far.take()
      if let sinkBufferBytes { wire.stream.socket.shrink(SO_RCVBUF, to: sinkBufferBytes) }
      return try await read(&wire)
    }()
    let outcome = try await pass(from: source.far.take(), to: sink.near.take())
    _ = try? await writing
    return (outcome, try await reading)
  }

  private func pass(from source: consuming Wire, to sink: consuming Wire) async throws -> PumpOutcome {
    if let sinkBufferBytes { sink.stream.socket.shrink(SO_SNDBUF, to: sinkBufferBytes) }
    while source.stream.unread.count < readAheadBytes,
      try await source.stream.fill(bytesMax: readAheadBytes - source.stream.unread.count)
    {}
    source.stream.idleTimeout = idleTimeout
    sink.stream.idleTimeout = idleTimeout
    var body = BodyReader(framing)
    let end: Pump.End
    do throws(PumpError) {
      end = try await pump.run(&body, from: &source.stream, to: sink.stream)
    } catch {
      sink.reset()
      return .failed(Self.name(error))
    }
    switch end {
    case .complete:
      #expect(body.isComplete)
      let rest = framing == .untilEnd ? [] : try await source.receiveAll().bytes
      await sink.stream.closeInOrder()
      return .complete(rest: rest)
    case .sinkSpoke:
      let answer = answerBytes == 0 ? [] : try await sink.receive(answerBytes)
      sink.reset()
      return .sinkSpoke(answer: answer)
    }
  }

  private static func name(_ error: PumpError) -> String {
    switch error {
    case .source(.stream(.timedOut)): "source timed out"
    case .source(.stream(.stopped)): "stopped"
    case .source(.stream): "source failed"
    case .source(.brokenOff): "source broke off"
    case .source(.malformed): "source malformed"
    case .sink(.timedOut): "sink timed out"
    case .sink: "sink failed"
    case .refused(let failure): "refused: \(failure)"
    }
  }
}

extension Socket {
  /// Sets SO_SNDBUF or SO_RCVBUF; the kernel doubles it, and has a least value.
  func shrink(_ option: CInt, to byteCount: Int) {
    var byteCount = CInt(byteCount)
    let result = setsockopt(descriptor.number, SOL_SOCKET, option, &byteCount, socklen_t(MemoryLayout<CInt>.size))
    precondition(result == 0, "setsockopt failed")
  }
}
