import KVCore
import KVLinux

/// Authorities and certificates for tests, as files of a directory that goes away with them.
package final class Certificates: Sendable {
  private let directory: TemporaryDirectory

  package init() throws { directory = try TemporaryDirectory() }

  /// Where a file of that name is.
  package func path(_ name: String) -> String { "\(directory.path)/\(name)" }

  /// Makes an authority, and one certificate for each of those; without hosts, for a client.
  package func make(_ authority: String, _ owners: [(name: String, hosts: [PeerAddress.Host])]) throws {
    let made = try CertificateAuthority(name: authority, days: 2)
    try write(try made.pair, authority)
    for owner in owners { try write(try made.issue(name: owner.name, hosts: owner.hosts, days: 1), owner.name) }
  }

  /// The pair of that name.
  package func certificate(_ name: String) -> TLSContext.Certificate {
    TLSContext.Certificate(file: path("\(name).pem"), privateKeyFile: path("\(name).key"))
  }

  private func write(_ pair: CertificateAuthority.Pair, _ name: String) throws {
    try write(pair.certificate, "\(name).pem")
    try write(pair.key, "\(name).key")
  }

  /// Puts those bytes into a file of that name, in the place of what was there.
  package func write(_ bytes: [UInt8], _ name: String) throws {
    let file = try File(writingPath: path(name))
    try file.truncate(byteCount: 0)
    try bytes.withBytes { bytes throws(SystemError) in try file.write(bytes, at: 0) }
  }
}
