import CCrypto
import KVCore

/// A small authority that gives certificates to the hosts of a cluster (X.509, RFC 5280; libcrypto), with keys on the curve
/// P-256, which every client knows.
package struct CertificateAuthority: ~Copyable {
  /// A certificate and its key, in PEM.
  package struct Pair: Sendable, Equatable {
    package let certificate: [UInt8]
    package let key: [UInt8]

    /// The contents of the two files.
    package init(certificate: [UInt8], key: [UInt8]) { (self.certificate, self.key) = (certificate, key) }
  }

  private static let secondsPerDay = 86_400
  /// So that a host whose clock is behind takes it too.
  private static let secondsBefore = 3600

  private let certificate: OpaquePointer
  private let key: OpaquePointer

  /// A new one, good for so many days.
  package init(name: String, days: Int) throws(TLSError) {
    ERR_clear_error()
    let key = try Self.made("a key", ccrypto_make_key())
    let certificate: OpaquePointer
    do throws(TLSError) {
      certificate = try Self.unsigned(name, key, days: days)
      try Self.sign(
        certificate, by: certificate, key,
        [
          (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"), (NID_key_usage, "critical,keyCertSign,cRLSign"),
          (NID_subject_key_identifier, "hash"),
        ])
    } catch {
      EVP_PKEY_free(key)
      throw error
    }
    (self.certificate, self.key) = (certificate, key)
  }

  /// One that there is.
  package init(_ pair: Pair) throws(TLSError) {
    ERR_clear_error()
    (certificate, key) = try Self.read(pair)
  }

  private static func read(_ pair: Pair) throws(TLSError) -> (OpaquePointer, OpaquePointer) {
    let certificate = try made(
      "the authority's certificate",
      reading(pair.certificate) {
        PEM_read_bio_X509($0, nil, nil, nil)
      })
    let key = reading(pair.key) { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }
    guard let key, X509_check_private_key(certificate, key) == 1 else {
      X509_free(certificate)
      EVP_PKEY_free(key)
      throw .last("the authority's key")
    }
    return (certificate, key)
  }

  deinit {
    X509_free(certificate)
    EVP_PKEY_free(key)
  }

  /// Both, to be kept.
  package var pair: Pair { get throws(TLSError) { try Self.pair(certificate, key) } }

  /// A certificate for a node of that name under those names and addresses, to be shown by it in both directions; without
  /// any, for a client.
  package func issue(name: String, hosts: [PeerAddress.Host], days: Int) throws(TLSError) -> Pair {
    ERR_clear_error()
    let hostKey = try Self.made("a key", ccrypto_make_key())
    defer { EVP_PKEY_free(hostKey) }
    let issued = try Self.unsigned(name, hostKey, days: days)
    defer { X509_free(issued) }
    let names = hosts.map { host in
      switch host {
      case .name(let name): "DNS:\(name)"
      case .address(let address): "IP:\(address)"
      }
    }
    let uses =
      names.isEmpty
      ? [(NID_ext_key_usage, "clientAuth")]
      : [(NID_ext_key_usage, "serverAuth,clientAuth"), (NID_subject_alt_name, names.joined(separator: ","))]
    try Self.sign(
      issued, by: certificate, key,
      [(NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,digitalSignature")] + uses
        + [(NID_subject_key_identifier, "hash"), (NID_authority_key_identifier, "keyid:always")])
    return try Self.pair(issued, hostKey)
  }

  private static func unsigned(_ name: String, _ key: OpaquePointer, days: Int) throws(TLSError) -> OpaquePointer {
    let certificate = try made("a certificate", X509_new())
    let isMade =
      X509_set_version(certificate, 2) == 1
      && ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), UInt64.random(in: 1 ... .max)) == 1
      && X509_gmtime_adj(X509_getm_notBefore(certificate), -secondsBefore) != nil
      && X509_gmtime_adj(X509_getm_notAfter(certificate), days * secondsPerDay) != nil
      && X509_NAME_add_entry_by_txt(
        X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, name, CInt(name.utf8.count), -1, 0) == 1
      && X509_set_pubkey(certificate, key) == 1
    guard isMade else {
      X509_free(certificate)
      throw .last(name)
    }
    return certificate
  }

  private static func sign(
    _ certificate: OpaquePointer, by issuer: OpaquePointer, _ key: OpaquePointer, _ extensions: [(CInt, String)]
  ) throws(TLSError) {
    guard X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 else { throw .last("a certificate") }
    var context = X509V3_CTX()
    X509V3_set_ctx(&context, issuer, certificate, nil, nil, 0)
    for (identifier, value) in extensions {
      guard let made = X509V3_EXT_conf_nid(nil, &context, identifier, value) else { throw .last(value) }
      defer { X509_EXTENSION_free(made) }
      guard X509_add_ext(certificate, made, -1) == 1 else { throw .last(value) }
    }
    guard X509_sign(certificate, key, EVP_sha256()) > 0 else { throw .last("a certificate") }
  }

  private static func pair(_ certificate: OpaquePointer, _ key: OpaquePointer) throws(TLSError) -> Pair {
    Pair(
      certificate: try written { PEM_write_bio_X509($0, certificate) },
      key: try written { PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) })
  }

  private static func written(_ write: (OpaquePointer) -> CInt) throws(TLSError) -> [UInt8] {
    let memory = try made("memory", BIO_new(BIO_s_mem()))
    defer { BIO_free(memory) }
    guard write(memory) == 1 else { throw .last("PEM") }
    var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(memory))
    guard BIO_read(memory, &bytes, CInt(bytes.count)) == bytes.count else { throw .last("PEM") }
    return bytes
  }

  private static func reading(_ bytes: [UInt8], _ read: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
    bytes.withUnsafeBytes { buffer in
      guard let memory = BIO_new_mem_buf(buffer.baseAddress, CInt(buffer.count)) else { return nil }
      defer { BIO_free(memory) }
      return read(memory)
    }
  }

  private static func made(_ subject: String, _ pointer: OpaquePointer?) throws(TLSError) -> OpaquePointer {
    guard let pointer else { throw .last(subject) }
    return pointer
  }
}
