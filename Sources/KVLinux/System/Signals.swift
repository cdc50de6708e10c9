import CLinux
import Glibc
import KVCore

/// Signals as something to await (signalfd(2)).
///
/// Made before any other thread starts, so that every thread inherits the blocked set.
package final class Signals: Sendable {
  /// A signal that the daemon acts on.
  package enum Signal: Sendable {
    /// SIGTERM or SIGINT.
    case stop
    /// SIGHUP.
    case reload
  }

  private let descriptor: FileDescriptor

  /// Blocks SIGTERM, SIGINT and SIGHUP for the process, and ignores SIGPIPE: splice(2) and sendfile(2) have
  /// no flag against it.
  package init() throws(SystemError) {
    _ = signal(SIGPIPE, SIG_IGN)
    let signals = [SIGTERM, SIGINT, SIGHUP]
    descriptor = FileDescriptor(
      owning: try systemCall("signalfd") { clinux_signal_descriptor(signals, CInt(signals.count)) })
  }

  /// The next signal, or nil when the task was cancelled.
  package func next() async -> Signal? {
    while true {
      switch clinux_signal_read(descriptor.number) {
      case SIGTERM, SIGINT: return .stop
      case SIGHUP: return .reload
      default: break
      }
      guard await IOExecutor.current.wait(for: .readable(descriptor), until: nil) == .ready else { return nil }
    }
  }
}
