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
    var context: TLSContext?
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
    var state = State(settings: settings)
    state.seen = Self.look(settings)
    state.context = try TLSContext(settings)
    self.state = Mutex(state)
  }

  /// What new connections are encrypted with; nil where they are not.
  var context: TLSContext? { state.withLock { $0.context } }

  /// When the certificate ends, in seconds since 1970; nil without one.
  var expiresAtSeconds: Int? { context?.expiresAtSeconds }

  /// What an administrator has to know of it; nil where all is well.
  var notice: String? {
    let (problem, end) = state.withLock { ($0.problem, $0.context?.expiresAtSeconds) }
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
      let context = try TLSContext(settings)
      state.withLock { $0 = State(settings: settings, context: context, seen: seen) }
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
    [settings.certificateFile, settings.privateKeyFile].map { path in
      path.flatMap { (try? File.status(ofPath: $0)) ?? nil }
    }
  }
}

extension TLSContext {
  /// What the settings say; nil where nothing is encrypted.
  package convenience init?(_ settings: TLSSettings) throws(TLSError) {
    guard let certificate = settings.certificateFile, let key = settings.privateKeyFile else { return nil }
    try self.init(certificateFile: certificate, privateKeyFile: key, minimumVersion: settings.minimumVersion)
  }
}
