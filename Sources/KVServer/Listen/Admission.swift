import Synchronization

/// Counts connections and says what happens to the next one. Past the limit a client is told so rather than
/// left waiting, and how many are being told is limited too.
final class Admission: Sendable {
  /// What to do with a new connection.
  enum Verdict: Sendable, Equatable {
    /// Serve it.
    case serve
    /// Read its request and answer that there are too many.
    case refuse
    /// Too many are being refused already: one line, whatever was asked, and close.
    case drop
  }

  private struct Counts {
    var served = 0
    var refused = 0
  }

  private static let refusedMax = 64

  private let counts = Mutex(Counts())

  /// How many connections are being served.
  var servedCount: Int { counts.withLock { $0.served } }

  /// Decides on a new connection. Whoever is not dropped must `leave` with the same verdict.
  func enter(servedMax: Int) -> Verdict {
    counts.withLock { counts in
      if counts.served < servedMax {
        counts.served += 1
        return .serve
      }
      guard counts.refused < Self.refusedMax else { return .drop }
      counts.refused += 1
      return .refuse
    }
  }

  /// Gives back what `enter` counted.
  func leave(_ verdict: Verdict) {
    counts.withLock { counts in
      switch verdict {
      case .serve: counts.served -= 1
      case .refuse: counts.refused -= 1
      case .drop: break
      }
    }
  }
}
