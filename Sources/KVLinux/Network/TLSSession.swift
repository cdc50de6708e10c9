import CCrypto
import Glibc
import KVCore

/// The encryption of one connection (SSL_new(3)). Its calls never block: each says what to wait for.
///
/// It belongs to the stream that it was made for, and so to one task at a time; that is why it may go from thread to thread.
package final class TLSSession: @unchecked Sendable {
  /// How far a handshake has got.
  package enum Handshake: Equatable, Sendable {
    case done
    case awaitsReadable
    case awaitsWritable
  }

  /// How much of what has arrived one call takes from the socket.
  private static let arrivedBytesMax: CInt = 128 << 10

  private let session: OpaquePointer
  /// What the session calls while it lives.
  private let context: TLSContext
  /// Whether what has been read from the socket may hold bytes that have not been asked for: then nothing need arrive for the
  /// next read to succeed.
  package private(set) var mayHoldMore = true
  /// Whether the last read, or write, waits for the other direction alone: for a change of keys (RFC 8446 section 4.6.3).
  package private(set) var isCrossed = false
  /// What went wrong behind bytes that had to be taken first.
  private var failure: TLSError?
  /// After a failure nothing may be sent any more (SSL_shutdown(3)).
  private var hasFailed = false

  /// For a connection that somebody has made to this host. The socket must outlive it.
  package init(accepting socket: borrowing Socket, _ context: TLSContext) throws(TLSError) {
    (session, self.context) = (try Self.make(socket, context), context)
    SSL_set_accept_state(session)
  }

  /// For a connection that this host has made to another, whose certificate must be for that name or address. The socket
  /// must outlive it. Where an earlier session is taken up again, the certificate was looked at then.
  package init(
    connecting socket: borrowing Socket, _ context: TLSContext, to host: PeerAddress.Host,
    resuming earlier: TLSResumption? = nil
  ) throws(TLSError) {
    (session, self.context) = (try Self.make(socket, context), context)
    SSL_set_connect_state(session)
    SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT))
    let isSet =
      switch host {
      case .name(let name): ccrypto_set_server_name(session, name) == 1 && SSL_set1_host(session, name) == 1
      case .address(let address): X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), "\(address)") == 1
      }
    guard isSet else { throw .last("\(host)") }
    if let earlier, earlier.context === context { earlier.take(up: session) }
  }

  private static func make(_ socket: borrowing Socket, _ context: TLSContext) throws(TLSError) -> OpaquePointer {
    ERR_clear_error()
    guard let session = SSL_new(context.context) else { throw .last("SSL_new") }
    guard ccrypto_set_socket(session, TLSContext.socketMethod, socket.descriptor.number) == 1 else {
      SSL_free(session)
      throw .last("BIO_new")
    }
    return session
  }

  deinit { SSL_free(session) }

  /// Goes on with the handshake.
  package func handshake() throws(TLSError) -> Handshake {
    ERR_clear_error()
    ccrypto_allow_reading(session, Self.arrivedBytesMax)
    let result = SSL_do_handshake(session)
    if result == 1 { return .done }
    switch SSL_get_error(session, result) {
    case SSL_ERROR_WANT_READ where ccrypto_has_ended(session) == 1: throw Self.ended("the TLS handshake")
    case SSL_ERROR_WANT_READ: return .awaitsReadable
    case SSL_ERROR_WANT_WRITE: return .awaitsWritable
    default:
      let verdict = SSL_get_verify_result(session)
      let error = failed("the TLS handshake")
      guard verdict != X509_V_OK, let reason = X509_verify_cert_error_string(verdict) else { throw error }
      throw TLSError(subject: "the certificate", reason: String(cString: reason))
    }
  }

  /// What the next connection to the same host can go on with; nil where the other side has offered nothing.
  package var resumption: TLSResumption? { TLSResumption(of: session, context) }

  /// Whether an earlier session was taken up again.
  package var isResumed: Bool { SSL_session_reused(session) == 1 }

  /// The name in the certificate that a client has shown, from one of the authorities for clients.
  package var clientName: String? {
    certificate(trustedAs: .client).flatMap { Self.commonName(in: X509_get_subject_name($0)) }
  }

  /// Whether the other side has shown a certificate, from one of the authorities for nodes, that is for one of the hosts.
  package func isFrom(_ hosts: [PeerAddress.Host]) -> Bool {
    guard let certificate = certificate(trustedAs: .peer) else { return false }
    return hosts.contains { host in
      switch host {
      case .name(let name):
        X509_check_host(certificate, name, name.utf8.count, UInt32(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT), nil) == 1
      case .address(let address): X509_check_ip_asc(certificate, "\(address)", 0) == 1
      }
    }
  }

  private func certificate(trustedAs trust: TLSTrust) -> OpaquePointer? {
    context.trust(in: session).contains(trust) ? SSL_get0_peer_certificate(session) : nil
  }

  /// The one that there is; two could be read in two ways.
  private static func commonName(in subject: OpaquePointer?) -> String? {
    let first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
    guard first >= 0, X509_NAME_get_index_by_NID(subject, NID_commonName, first) < 0 else { return nil }
    var text: UnsafeMutablePointer<UInt8>?
    let value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first))
    let count = ASN1_STRING_to_UTF8(&text, value)
    guard count >= 0, let text else { return nil }
    defer { ccrypto_free(text) }
    return String(decoding: UnsafeBufferPointer(start: text, count: Int(count)), as: UTF8.self)
  }

  /// Moves bytes that have arrived into the buffer, at most so many. The end is one that the other side has announced; a
  /// connection that ends without that is a failure.
  package func receive(into bytes: inout MutableRawSpan, bytesMax: Int) throws(TLSError) -> TransferResult {
    if let failure { throw failure }
    ccrypto_allow_reading(session, Self.arrivedBytesMax)
    return try bytes.withUnsafeMutableBytes { buffer throws(TLSError) in
      let wanted = min(buffer.count, bytesMax)
      var received = 0
      while received < wanted {
        ERR_clear_error()
        var count = 0
        let result = SSL_read_ex(session, buffer.baseAddress?.advanced(by: received), wanted - received, &count)
        received += count
        guard result == 1 else {
          // What follows the bytes is told when they have been taken.
          guard received > 0 else { return try after(result, isRead: true) }
          do throws(TLSError) { _ = try after(result, isRead: true) } catch { failure = error }
          return .moved(received)
        }
        if SSL_has_pending(session) == 0 {
          mayHoldMore = false
          return .moved(received)
        }
      }
      mayHoldMore = true
      return .moved(received)
    }
  }

  /// Encrypts bytes and gives them to the kernel, as far as it takes them. Where it takes none, the same bytes must come
  /// again, or more that begin with them.
  package func send(_ bytes: RawSpan) throws(TLSError) -> TransferResult {
    try bytes.withUnsafeBytes { buffer throws(TLSError) in
      var sent = 0
      while sent < buffer.count {
        ERR_clear_error()
        var count = 0
        let result = SSL_write_ex(session, buffer.baseAddress?.advanced(by: sent), buffer.count - sent, &count)
        sent += count
        guard result == 1 else {
          let end = try after(result, isRead: false)
          return sent > 0 ? .moved(sent) : end
        }
      }
      return .moved(sent)
    }
  }

  /// Whether something can be read, an end or an error included, without taking it.
  package func hasArrived() -> Bool {
    if failure != nil { return true }
    ERR_clear_error()
    ccrypto_allow_reading(session, Self.arrivedBytesMax)
    var byte: UInt8 = 0
    var count = 0
    let result = SSL_peek_ex(session, &byte, 1, &count)
    if result == 1 {
      mayHoldMore = true
      return true
    }
    return (try? after(result, isRead: true)) != .wouldBlock
  }

  /// Says that nothing more will be sent (close_notify); false where that must be said again once the socket is writable.
  package func announceEnd() -> Bool {
    guard !hasFailed else { return true }
    ERR_clear_error()
    let result = SSL_shutdown(session)
    defer { ERR_clear_error() }
    return result >= 0 || SSL_get_error(session, result) != SSL_ERROR_WANT_WRITE
  }

  /// What a call came to that moved nothing.
  private func after(_ result: CInt, isRead: Bool) throws(TLSError) -> TransferResult {
    let error = SSL_get_error(session, result)
    switch error {
    case SSL_ERROR_WANT_READ where ccrypto_has_ended(session) == 1:
      mayHoldMore = true
      throw Self.ended("TLS")
    case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE:
      isCrossed = isRead == (error == SSL_ERROR_WANT_WRITE)
      if isRead { mayHoldMore = false }
      return .wouldBlock
    case SSL_ERROR_ZERO_RETURN:
      mayHoldMore = true
      return .end
    default:
      mayHoldMore = true
      throw failed("TLS")
    }
  }

  /// The other direction may go on.
  private static func ended(_ subject: String) -> TLSError {
    TLSError(subject: subject, reason: "the connection ended without a word", isUnannouncedEnd: true)
  }

  private func failed(_ subject: String) -> TLSError {
    let code = errno
    hasFailed = true
    if ERR_peek_error() == 0 {
      let reason = code == 0 ? "no reason" : SystemError(call: subject, code: code).reason
      return TLSError(subject: subject, reason: reason)
    }
    return .last(subject)
  }
}
