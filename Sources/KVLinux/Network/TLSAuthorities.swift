import CCrypto

/// What somebody with a certificate may be taken for: it says who one is, and its authority what that is worth.
package struct TLSTrust: OptionSet, Sendable {
  package let rawValue: UInt8

  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// A node, if its certificate is for one.
  package static let peer = TLSTrust(rawValue: 1)
  /// Somebody who is known by the name in it.
  package static let client = TLSTrust(rawValue: 2)
}

/// What goes along in a session's ticket, which only this host can read or write.
extension TLSTrust {
  init?(in session: OpaquePointer) {
    var bytes: UnsafeMutableRawPointer?
    var count = 0
    guard SSL_SESSION_get0_ticket_appdata(session, &bytes, &count) == 1, count == 1, let bytes else { return nil }
    rawValue = bytes.load(as: UInt8.self)
  }

  func write(in session: OpaquePointer) -> Bool {
    var byte = rawValue
    return SSL_SESSION_set1_ticket_appdata(session, &byte, 1) == 1
  }
}

/// The authorities of one file, and what those are taken for who show a certificate from one of them.
final class TLSAuthorities {
  let trust: TLSTrust
  private let file: String
  private let store: OpaquePointer

  init(_ file: String, _ trust: TLSTrust) throws(TLSError) {
    ERR_clear_error()
    guard let store = X509_STORE_new() else { throw .last("X509_STORE_new") }
    (self.file, self.trust, self.store) = (file, trust, store)
    guard X509_STORE_load_file(store, file) == 1 else { throw .last(file) }
  }

  deinit { X509_STORE_free(store) }

  /// Lets those connect who are asked for a certificate and show one from one of these, among others.
  func admit(to context: OpaquePointer) throws(TLSError) {
    guard SSL_CTX_load_verify_file(context, file) == 1 else { throw .last(file) }
    // Whoever has several certificates chooses by these names (RFC 8446 section 4.2.4).
    let names = SSL_CTX_get_client_CA_list(context).flatMap(SSL_dup_CA_list) ?? ccrypto_no_names()
    guard let names, SSL_add_file_cert_subjects_to_stack(names, file) == 1 else { throw .last(file) }
    SSL_CTX_set_client_CA_list(context, names)
  }

  /// Whether the certificate comes from one of these, by way of those in the chain.
  func vouch(for certificate: OpaquePointer, _ chain: OpaquePointer?) -> Bool {
    defer { ERR_clear_error() }
    guard let verification = X509_STORE_CTX_new() else { return false }
    defer { X509_STORE_CTX_free(verification) }
    return X509_STORE_CTX_init(verification, store, certificate, chain) == 1
      && X509_STORE_CTX_set_default(verification, "ssl_client") == 1
      && X509_verify_cert(verification) == 1
  }
}
