import CCrypto
import Glibc
import KVCore

/// With what connections are encrypted: a certificate, its key, and what is accepted (SSL_CTX_new(3)).
///
/// OpenSSL counts its owners and locks what they share, and nothing here changes it once it has been made: so it may be used
/// on all threads.
package final class TLSContext: @unchecked Sendable {
  /// How much of what has arrived is read at a time, so that several records cost one call.
  private static let readBytes = 64 << 10
  /// What is spoken here, as ALPN (RFC 7301) writes it, with its length before it.
  private static let protocols: StaticString = "\u{08}http/1.1"

  /// How sessions reach their sockets. It is made once and never changed.
  nonisolated(unsafe) static let socketMethod = ccrypto_socket_method()

  let context: OpaquePointer
  /// When the certificate ends, in seconds since 1970; nil where none is shown.
  package let expiresAtSeconds: Int?

  /// For those who connect to this host. The certificate's file has its chain too, in PEM.
  package init(certificateFile: String, privateKeyFile: String, minimumVersion: TLSVersion) throws(TLSError) {
    ERR_clear_error()
    guard let context = SSL_CTX_new(TLS_server_method()) else { throw .last("SSL_CTX_new") }
    do throws(TLSError) {
      let version = minimumVersion == .tls13 ? ccrypto_tls13() : ccrypto_tls12()
      guard ccrypto_set_minimum_version(context, version) == 1 else { throw .last("MinimumVersion=") }
      guard SSL_CTX_use_certificate_chain_file(context, certificateFile) == 1 else { throw .last(certificateFile) }
      guard SSL_CTX_use_PrivateKey_file(context, privateKeyFile, SSL_FILETYPE_PEM) == 1 else {
        throw .last(privateKeyFile)
      }
      expiresAtSeconds = try Self.end(of: context, certificateFile)
    } catch {
      SSL_CTX_free(context)
      throw error
    }
    ccrypto_set_modes(context)
    SSL_CTX_set_default_read_buffer_len(context, Self.readBytes)
    SSL_CTX_set_alpn_select_cb(context, Self.chooseProtocol, nil)
    self.context = context
  }

  /// For connections that this host makes. The other side's certificate must come from one of the authorities in the file,
  /// in PEM, or without one from those that the system trusts.
  package init(authoritiesFile: String?) throws(TLSError) {
    ERR_clear_error()
    guard let context = SSL_CTX_new(TLS_client_method()) else { throw .last("SSL_CTX_new") }
    let isLoaded =
      authoritiesFile.map { SSL_CTX_load_verify_file(context, $0) } ?? SSL_CTX_set_default_verify_paths(context)
    guard isLoaded == 1, ccrypto_set_minimum_version(context, ccrypto_tls12()) == 1 else {
      let error = TLSError.last(authoritiesFile ?? "the system's authorities")
      SSL_CTX_free(context)
      throw error
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
    ccrypto_set_modes(context)
    SSL_CTX_set_default_read_buffer_len(context, Self.readBytes)
    (self.context, expiresAtSeconds) = (context, nil)
  }

  deinit { SSL_CTX_free(context) }

  private static func end(of context: OpaquePointer, _ file: String) throws(TLSError) -> Int {
    var time = tm()
    guard let certificate = SSL_CTX_get0_certificate(context),
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) == 1
    else { throw .last(file) }
    return timegm(&time)
  }

  /// A client that offers other protocols alone goes on without one: what it speaks shows by its first line.
  private static let chooseProtocol:
    @convention(c) (
      OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
      UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> CInt = { _, chosen, chosenCount, offered, offeredCount, _ in
      let ours = protocols
      var place: UnsafeMutablePointer<UInt8>?
      let result = SSL_select_next_proto(
        &place, chosenCount, ours.utf8Start, UInt32(ours.utf8CodeUnitCount), offered, offeredCount)
      guard result == OPENSSL_NPN_NEGOTIATED, let place else { return SSL_TLSEXT_ERR_NOACK }
      chosen?.pointee = UnsafePointer(place)
      return SSL_TLSEXT_ERR_OK
    }
}

/// Why something about TLS did not work, in OpenSSL's words.
package struct TLSError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What it is about: a file, or a call.
  package let subject: String
  /// What was wrong.
  package let reason: String

  /// What is wrong with what.
  package var description: String { "\(subject): \(reason)" }

  /// What OpenSSL said last on this thread (ERR_get_error(3)); the first of several errors says most.
  static func last(_ subject: String) -> TLSError {
    let code = ERR_get_error()
    ERR_clear_error()
    let systemCode = ccrypto_system_error(code)
    if systemCode != 0 {
      return TLSError(subject: subject, reason: SystemError(call: subject, code: systemCode).reason)
    }
    return TLSError(subject: subject, reason: ERR_reason_error_string(code).map { String(cString: $0) } ?? "no reason")
  }
}
