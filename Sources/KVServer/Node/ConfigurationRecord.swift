import KVCore
import KVHTTP
import KVLinux
import Synchronization

/// What reading the configuration anew has come to.
package enum Reload: Sendable {
  case loaded(Configuration)
  /// It cannot be used, for this reason, in one line.
  case refused(reason: String)
}

/// How the configuration in force came to be: when it was loaded, and whether a newer one was refused since.
final class ConfigurationRecord: Sendable {
  /// A configuration that could not be used.
  struct Refusal: Sendable, Equatable {
    /// When it was refused, for people.
    let time: String
    /// The first of its problems.
    let reason: String
  }

  private struct State {
    var loadedAtSeconds: Double
    var refusal: Refusal?
    var refusalCount = 0
  }

  /// A reason is told in a line among others: of a long one its beginning must do.
  private static let reasonBytesMax = 300

  private let state = Mutex(State(loadedAtSeconds: now))

  private static var now: Double { Double(Instant.wallNanoseconds) / 1e9 }

  /// When the configuration in force was loaded, in seconds since 1970.
  var loadedAtSeconds: Double { state.withLock { $0.loadedAtSeconds } }

  /// The newest configuration, where it was refused: another one is in force.
  var refusal: Refusal? { state.withLock { $0.refusal } }

  /// How many have been refused since the start.
  var refusalCount: Int { state.withLock { $0.refusalCount } }

  /// A configuration has come into force.
  func loaded() { state.withLock { ($0.loadedAtSeconds, $0.refusal) = (Self.now, nil) } }

  /// A configuration was refused.
  func refused(_ reason: String) {
    let written = PrintableText.escape(Array(reason.utf8))
    let shown = written.utf8.count > Self.reasonBytesMax ? written.prefix(Self.reasonBytesMax - 1) + "…" : written
    let refusal = Refusal(time: Timestamp.now, reason: String(shown))
    state.withLock {
      $0.refusal = refusal
      $0.refusalCount += 1
    }
  }
}
