import KVCore
import KVLinux
import Synchronization

/// When kvnode-scrub.service last read all values, and what came of it. The unit leaves its status in a file.
final class LastCheck: Sendable {
  /// A check that came to its end.
  struct Outcome: Sendable, Equatable {
    /// When it ended, in seconds since 1970.
    let endedAtSeconds: Double
    /// The exit status of `kvctl check`.
    let status: Int
  }

  private static let bytesMax = 16

  private let path: String?
  private let stored = Mutex<Outcome?>(nil)

  /// The unit's file below the directory; without one nothing is known.
  init(stateDirectory: String?) { path = stateDirectory.map { "\($0)/last-check" } }

  /// What the last look found.
  var outcome: Outcome? { stored.withLock { $0 } }

  /// Looks whether a check has ended since.
  func look() {
    guard let path, let file = try? File(path: path), let status = try? file.status(),
      let text = try? file.contents(bytesMax: Self.bytesMax),
      let number = Int(String(decoding: text.prefix { $0 != 0x0a }, as: UTF8.self))
    else { return }
    let outcome = Outcome(endedAtSeconds: Double(status.modifiedAtNanoseconds / 1_000_000_000), status: number)
    stored.withLock { $0 = outcome }
  }
}
