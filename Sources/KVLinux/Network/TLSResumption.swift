import CCrypto

/// What a client keeps of a session, so that the next one needs no certificates (RFC 8446 section 2.2).
///
/// It is a copy that no connection uses, and nothing changes it: so all threads may copy it once more.
package final class TLSResumption: @unchecked Sendable {
  let context: TLSContext
  private let session: OpaquePointer

  init?(of connection: OpaquePointer, _ context: TLSContext) {
    guard let current = SSL_get_session(connection), SSL_SESSION_is_resumable(current) == 1,
      let copy = SSL_SESSION_dup(current)
    else { return nil }
    (session, self.context) = (copy, context)
  }

  deinit { SSL_SESSION_free(session) }

  /// Lets a connection that has not begun yet go on with it.
  func take(up connection: OpaquePointer) {
    guard let copy = SSL_SESSION_dup(session) else { return }
    // Where that fails the whole handshake is gone through.
    SSL_set_session(connection, copy)
    SSL_SESSION_free(copy)
  }
}
