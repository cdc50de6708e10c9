import KVCore
import KVHTTP
import KVLinux
import Logging
import Synchronization

/// The certificate that clients are shown. It is read anew at a reload and where its files have changed; one that cannot be
/// used leaves the old one in force, and connections keep the one they began with.
final class ServerCertificate: Worker {
  private struct State {
    var settings: TLSSettings
    var contexts: TLSContexts
    var seen: [File.Status?] = []
    var problem: String?
  }

  /// How long a change of a file may go unseen.
  let pace = Duration.seconds(10)
  /// From when on its end is told of.
  private static let noticeSeconds = 14 * 86_400

  private let logger: Logger
  private let state: Mutex<State>

  /// Fails where there is one that cannot be used.
  init(_ settings: TLSSettings, _ logger: Logger) throws(TLSError) {
    self.logger = logger
    let seen = Self.look(settings)
    state = Mutex(State(settings: settings, contexts: try TLSContexts(settings), seen: seen))
  }

  /// What new connections are encrypted with; nil where they are not.
  var context: TLSContext? { state.withLock { $0.contexts.accepting } }

  /// What connections to other nodes are encrypted with; nil where they are not.
  var peerContext: TLSContext? { state.withLock { $0.contexts.connecting } }

  /// When the certificate ends, in seconds since 1970; nil without one.
  var expiresAtSeconds: Int? { context?.expiresAtSeconds }

  /// What an administrator has to know of it; nil where all is well.
  var notice: String? {
    let (problem, end) = state.withLock { ($0.problem, $0.contexts.accepting?.expiresAtSeconds) }
    if let problem { return "the certificate cannot be read anew, and the old one stays: \(problem)" }
    guard let end else { return nil }
    let left = end - Int(Instant.wallNanoseconds / 1_000_000_000)
    if left < 0 { return "the certificate has expired" }
    return left < Self.noticeSeconds ? "the certificate expires in \(Counted(left / 86_400, "day"))" : nil
  }

  /// Reads it again, by other settings or the same.
  func take(_ settings: TLSSettings) {
    let seen = Self.look(settings)
    do throws(TLSError) {
      let contexts = try TLSContexts(settings)
      state.withLock { $0 = State(settings: settings, contexts: contexts, seen: seen) }
    } catch {
      logger.error("the certificate cannot be read anew, and the old one stays", metadata: ["reason": "\(error)"])
      // It is not read again before a file has changed once more.
      state.withLock { ($0.settings, $0.seen, $0.problem) = (settings, seen, "\(error)") }
    }
  }

  /// Reads it again if one of its files is another one by now.
  func step(lateBy lag: Duration) async {
    let (settings, seen) = state.withLock { ($0.settings, $0.seen) }
    guard Self.look(settings) != seen else { return }
    take(settings)
    if let end = expiresAtSeconds, notice == nil {
      logger.info(
        "the certificate was read anew", metadata: ["expires": "\(HTTPDate(secondsSince1970: end).timestamp)"])
    }
  }

  private static func look(_ settings: TLSSettings) -> [File.Status?] {
    [
      settings.certificateFile, settings.privateKeyFile, settings.peerAuthoritiesFile, settings.clientAuthoritiesFile,
    ].map { path in
      path.flatMap { (try? File.status(ofPath: $0)) ?? nil }
    }
  }
}

/// What a node's connections are encrypted with, as the settings say.
package struct TLSContexts: Sendable {
  /// For those who connect to it; nil where nothing is encrypted.
  let accepting: TLSContext?
  /// For those that it makes to other nodes; nil where they are not.
  let connecting: TLSContext?

  /// Fails where a file cannot be used.
  package init(_ settings: TLSSettings) throws(TLSError) {
    guard let file = settings.certificateFile, let key = settings.privateKeyFile else {
      (accepting, connecting) = (nil, nil)
      return
    }
    let certificate = TLSContext.Certificate(file: file, privateKeyFile: key)
    accepting = try TLSContext(
      accepting: certificate, minimumVersion: settings.minimumVersion,
      peerAuthoritiesFile: settings.peerAuthoritiesFile, clientAuthoritiesFile: settings.clientAuthoritiesFile)
    let encrypts = settings.betweenNodes != .no
    connecting =
      encrypts ? try TLSContext(connectingTo: settings.peerAuthoritiesFile, showing: certificate) : nil
  }
}
