import CCrypto
import Glibc
import KVCore

/// With what connections are encrypted: a certificate, its key, and what is accepted (SSL_CTX_new(3)).
///
/// OpenSSL counts its owners and locks what they share, its stores of authorities too, and nothing here changes it once it has
/// been made: so it may be used on all threads.
package final class TLSContext: @unchecked Sendable {
  /// How much of what has arrived is read at a time, so that several records cost one call.
  private static let readBytes = 64 << 10
  /// What is spoken here, as ALPN (RFC 7301) writes it, with its length before it.
  private static let http: StaticString = "\u{08}http/1.1"
  /// HTTP too, by a name under which those who have a certificate to show are asked for it, and others are not: a browser
  /// would ask its user.
  private static let certified: StaticString = "\u{06}kvnode"
  /// Both, in the order of preference.
  private static let certifiedFirst: StaticString = "\u{06}kvnode\u{08}http/1.1"

  /// What is spoken by TLS 1.2: no key outlives its connection, and nothing is authenticated before it is encrypted
  /// (RFC 9325 section 4.2). TLS 1.3 knows no other.
  private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"

  /// How sessions reach their sockets. It is made once and never changed.
  nonisolated(unsafe) static let socketMethod = ccrypto_socket_method()

  let context: OpaquePointer
  /// Whose certificates those who connect may show.
  private let authorities: [TLSAuthorities]
  /// When the certificate ends, in seconds since 1970; nil where none is shown.
  package let expiresAtSeconds: Int?

  /// The two files of a certificate, in PEM, the first with its chain.
  package struct Certificate: Sendable {
    let file: String
    let privateKeyFile: String

    /// The files at those paths.
    package init(file: String, privateKeyFile: String) { (self.file, self.privateKeyFile) = (file, privateKeyFile) }
  }

  /// For those who connect to this host. Who shows a certificate must have it from one of the authorities in one of the
  /// files; nobody must show one.
  package init(
    accepting certificate: Certificate, minimumVersion: TLSVersion, peerAuthoritiesFile: String?,
    clientAuthoritiesFile: String?
  ) throws(TLSError) {
    let files = [(TLSTrust.peer, peerAuthoritiesFile), (.client, clientAuthoritiesFile)]
    var authorities: [TLSAuthorities] = []
    for case (let trust, let file?) in files { authorities.append(try TLSAuthorities(file, trust)) }
    context = try Self.make(TLS_server_method(), minimumVersion) { context throws(TLSError) in
      try Self.use(certificate, in: context)
      for each in authorities { try each.admit(to: context) }
      if clientAuthoritiesFile != nil { SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil) }
    }
    self.authorities = authorities
    expiresAtSeconds = Self.end(of: context)
    // Each session holds on to its context, and nothing is called but by a session.
    let this = Unmanaged.passUnretained(self).toOpaque()
    SSL_CTX_set_alpn_select_cb(context, Self.chooseProtocol, this)
    if !authorities.isEmpty { SSL_CTX_set_session_ticket_cb(context, Self.writeTicket, ccrypto_take_ticket, this) }
    // Sessions that are taken up again must be ours, where certificates are looked at (SSL_CTX_set_session_id_context(3)).
    SSL_CTX_set_session_id_context(context, "kvnode", 6)
  }

  /// For connections that this host makes. The other side's certificate must come from one of the authorities in the file,
  /// in PEM, or without one from those that the system trusts. It may be shown one too.
  package init(connectingTo authoritiesFile: String?, showing certificate: Certificate? = nil) throws(TLSError) {
    context = try Self.make(TLS_client_method(), .tls12) { context throws(TLSError) in
      let isLoaded =
        authoritiesFile.map { SSL_CTX_load_verify_file(context, $0) } ?? SSL_CTX_set_default_verify_paths(context)
      guard isLoaded == 1 else { throw .last(authoritiesFile ?? "the system's authorities") }
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
      if let certificate { try Self.use(certificate, in: context) }
    }
    (authorities, expiresAtSeconds) = ([], nil)
    if certificate != nil {
      let protocols = Self.certifiedFirst
      SSL_CTX_set_alpn_protos(context, protocols.utf8Start, CUnsignedInt(protocols.utf8CodeUnitCount))
    }
  }

  deinit { SSL_CTX_free(context) }

  /// What whoever has connected counts as, by the certificate that was shown.
  func trust(in session: OpaquePointer) -> TLSTrust {
    guard SSL_get_verify_result(session) == X509_V_OK, let certificate = SSL_get0_peer_certificate(session),
      let current = SSL_get_session(session)
    else { return [] }
    // A session that is taken up again has the certificate without those that led to the authority.
    if let known = TLSTrust(in: current) { return known }
    guard SSL_session_reused(session) == 0 else { return [] }
    let chain = SSL_get_peer_cert_chain(session)
    return authorities.filter { $0.vouch(for: certificate, chain) }.reduce(into: []) { $0.formUnion($1.trust) }
  }

  private static let writeTicket: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> CInt = {
    guard let session = $0, let argument = $1, let current = SSL_get_session(session) else { return 0 }
    let this = Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
    return this.trust(in: session).write(in: current) ? 1 : 0
  }

  private static func make(
    _ method: OpaquePointer?, _ minimumVersion: TLSVersion, _ prepare: (OpaquePointer) throws(TLSError) -> Void
  ) throws(TLSError) -> OpaquePointer {
    ERR_clear_error()
    guard let context = SSL_CTX_new(method) else { throw .last("SSL_CTX_new") }
    do throws(TLSError) {
      let version = minimumVersion == .tls13 ? ccrypto_tls13() : ccrypto_tls12()
      guard ccrypto_set_minimum_version(context, version) == 1 else { throw .last("MinimumVersion=") }
      guard SSL_CTX_set_cipher_list(context, ciphers) == 1 else { throw .last("SSL_CTX_set_cipher_list") }
      // Nobody is there to be asked for a key's pass phrase.
      SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
      try prepare(context)
    } catch {
      SSL_CTX_free(context)
      throw error
    }
    ccrypto_set_modes(context)
    SSL_CTX_set_default_read_buffer_len(context, readBytes)
    return context
  }

  private static func use(_ certificate: Certificate, in context: OpaquePointer) throws(TLSError) {
    guard SSL_CTX_use_certificate_chain_file(context, certificate.file) == 1 else { throw .last(certificate.file) }
    guard SSL_CTX_use_PrivateKey_file(context, certificate.privateKeyFile, SSL_FILETYPE_PEM) == 1 else {
      throw .last(certificate.privateKeyFile)
    }
  }

  private static func end(of context: OpaquePointer) -> Int? {
    var time = tm()
    guard let certificate = SSL_CTX_get0_certificate(context),
      ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) == 1
    else { return nil }
    return timegm(&time)
  }

  /// A client that offers other protocols alone goes on without one: what it speaks shows by its first line.
  private static let chooseProtocol:
    @convention(c) (
      OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
      UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> CInt = { session, chosen, chosenCount, offered, offeredCount, argument in
      func choose(_ ours: StaticString) -> Bool {
        var place: UnsafeMutablePointer<UInt8>?
        let result = SSL_select_next_proto(
          &place, chosenCount, ours.utf8Start, UInt32(ours.utf8CodeUnitCount), offered, offeredCount)
        guard result == OPENSSL_NPN_NEGOTIATED, let place else { return false }
        chosen?.pointee = UnsafePointer(place)
        return true
      }
      guard choose(certified) else { return choose(http) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK }
      let this = argument.map { Unmanaged<TLSContext>.fromOpaque($0).takeUnretainedValue() }
      if this?.authorities.isEmpty == false { SSL_set_verify(session, SSL_VERIFY_PEER, nil) }
      return SSL_TLSEXT_ERR_OK
    }
}

/// Why something about TLS did not work, in OpenSSL's words.
package struct TLSError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What it is about: a file, or a call.
  package let subject: String
  /// What was wrong.
  package let reason: String
  /// Whether all that was sent has come, as far as it did, and only the word that it is all is missing.
  package var isUnannouncedEnd = false

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
