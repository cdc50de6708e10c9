import KVCore
import KVLinux

/// How a stream becomes an encrypted one, and ends as one.
extension Stream {
  /// How TLS begins: the type of a record with a handshake (RFC 8446 section 5.1). No request begins so.
  private static let handshakeType: UInt8 = 0x16

  /// Waits for the first byte, and goes through the handshake if the other side begins one.
  package mutating func acceptTLS(
    _ context: TLSContext, until deadline: Instant, by interrupter: Interrupter?
  ) async throws(StreamError) {
    var first: (TransferResult, UInt8)
    repeat {
      do throws(SystemError) { first = try socket.firstByte() } catch { throw .failed(error) }
      if first.0 == .wouldBlock {
        try await wait(.readable, until: deadline, by: interrupter)
      }
    } while first.0 == .wouldBlock
    guard case .moved = first.0, first.1 == Self.handshakeType else { return }
    let begun: TLSSession
    do throws(TLSError) { begun = try TLSSession(accepting: socket, context) } catch { throw .tls(error) }
    try await goThrough(begun, until: deadline, by: interrupter)
    session = begun
  }

  /// Encrypts a connection that was made to that host, going on with an earlier one if it can.
  package mutating func connectTLS(
    _ context: TLSContext, to host: PeerAddress.Host, resuming earlier: TLSResumption? = nil, until deadline: Instant
  ) async throws(StreamError) {
    let begun: TLSSession
    do throws(TLSError) { begun = try TLSSession(connecting: socket, context, to: host, resuming: earlier) } catch {
      throw .tls(error)
    }
    try await goThrough(begun, until: deadline, by: nil)
    session = begun
  }

  private borrowing func goThrough(
    _ session: TLSSession, until deadline: Instant, by interrupter: Interrupter?
  ) async throws(StreamError) {
    while true {
      let state: TLSSession.Handshake
      do throws(TLSError) { state = try session.handshake() } catch { throw .tls(error) }
      switch state {
      case .done: return
      case .awaitsReadable: try await wait(.readable, until: deadline, by: interrupter)
      case .awaitsWritable: try await wait(.writable, until: deadline, by: interrupter)
      }
    }
  }

  /// Says that nothing more will be sent, so that the other side can tell the end from a connection that was cut off.
  borrowing func announceEnd(by interrupter: Interrupter?) async {
    guard let session else { return }
    let deadline = Instant.after(Linger.idleTimeout)
    while !session.announceEnd() {
      guard (try? await wait(.writable, until: deadline, by: interrupter)) != nil else { return }
    }
  }

  /// The same, as far as that takes no waiting.
  package borrowing func announceEndAtOnce() { _ = session?.announceEnd() }
}

extension TLSSession {
  /// How much of a file is encrypted at a time: what the kernel does not take of it is read once more.
  private static let pieceBytes = 128 << 10

  func sendNow(_ bytes: RawSpan) throws(StreamError) -> TransferResult {
    do throws(TLSError) { return try send(bytes) } catch { throw .tls(error) }
  }

  func sendNow(
    _ file: borrowing File, at offset: inout Int, bytesMax: Int
  ) throws(StreamError) -> TransferResult {
    try ThreadBuffer.withBytes { bytes throws(StreamError) in
      let count: Int
      do throws(SystemError) {
        count = try file.read(into: &bytes, at: offset, bytesMax: min(bytesMax, Self.pieceBytes))
      } catch {
        throw .failed(error)
      }
      guard count > 0 else { return .end }
      let result = try sendNow(bytes.bytes.extracting(first: count))
      if case .moved(let sent) = result { offset += sent }
      return result
    }
  }
}
