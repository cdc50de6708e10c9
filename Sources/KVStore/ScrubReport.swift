import KVCore
import KVLinux

/// What a scrub has to tell on its way.
package enum ScrubEvent: Equatable, Sendable {
  /// A value is not what was stored.
  case damaged(ScrubFinding)
  /// A value was found damaged earlier and moved away, and its key has been neither stored anew nor deleted since. Both
  /// paths are below the data directory: where it was, and where it was moved to.
  case lost(Key, path: String, quarantinePath: String)
  /// A file or directory, at that path below the data directory, could not be looked at; the scrub went on.
  case unchecked(path: String, SystemError)
}

/// A stored value that is not what was stored.
package struct ScrubFinding: Equatable, Sendable {
  /// What is wrong with it.
  package enum Fault: Equatable, Sendable, CustomStringConvertible {
    /// The bytes have another checksum than the one that was recorded.
    case checksum(recorded: ValueChecksum, found: ValueChecksum)
    /// The file has another length than the one that was recorded.
    case length(recordedBytes: Int, foundBytes: Int)
    /// The disk does not give the bytes.
    case unreadable(SystemError)

    /// The fault in words.
    package var description: String {
      switch self {
      case .checksum(let recorded, let found): "its checksum is \(found), recorded was \(recorded)"
      case .length(let recordedBytes, let foundBytes):
        "it has \(Counted(foundBytes, "byte")), recorded were \(recordedBytes)"
      case .unreadable(let error): "it cannot be read: \(error)"
      }
    }
  }

  /// The value's key.
  package let key: Key
  /// Its file below the data directory: `values/12/hashme`.
  package let path: String
  /// What is wrong.
  package let fault: Fault
  /// Where it was moved to, below the data directory, or nil where it still lies in its place.
  package var quarantinePath: String?
  /// Why it was not moved, where it should have been; or why the move may be undone by a power cut.
  package var moveError: SystemError?

  /// A finding about a file that lies in its place.
  package init(key: Key, path: String, fault: Fault, quarantinePath: String? = nil, moveError: SystemError? = nil) {
    self.key = key
    self.path = path
    self.fault = fault
    self.quarantinePath = quarantinePath
    self.moveError = moveError
  }
}

/// What a scrub has gone through.
package struct ScrubSummary: Equatable, Sendable {
  /// How many values were looked at.
  package var values = 0
  /// How many bytes they have.
  package var bytes = 0
  /// How many of them are not what was stored.
  package var damaged = 0
  /// How many of the damaged ones were moved to `quarantine/`.
  package var quarantined = 0
  /// How many were found damaged earlier, moved away, and have not been stored anew or deleted since.
  package var lost = 0
  /// How many have no recorded checksum, so that nothing can be said of them.
  package var unverified = 0
  /// How many files lie among the values that no PUT would have named so. kvnode does not serve them.
  package var strays = 0
  /// How many files and directories could not be looked at.
  package var unchecked = 0

  /// Nothing yet.
  package init() {}

  package mutating func count(_ event: ScrubEvent) {
    switch event {
    case .damaged(let finding):
      damaged += 1
      if finding.quarantinePath != nil { quarantined += 1 }
    case .lost: lost += 1
    case .unchecked: unchecked += 1
    }
  }
}

/// Keeps a scrub to its rate, and from holding its thread for good.
package struct ScrubPace {
  /// Waits shorter than this are saved up.
  private static let waitMin = Duration.milliseconds(50)

  private let bytesPerSecondMax: Int?
  private let start = Instant.now
  private var bytesRead = 0
  private var turn = Turn()

  package init(bytesPerSecondMax: Int?) {
    self.bytesPerSecondMax = bytesPerSecondMax
  }

  /// Counts what was read, and waits until the rate allows for more. False once the task is cancelled.
  package mutating func moved(_ byteCount: Int) async -> Bool {
    bytesRead += byteCount
    guard let bytesPerSecondMax else {
      await turn.moved(byteCount)
      return !Task.isCancelled
    }
    let due = Duration.seconds(Double(bytesRead) / Double(bytesPerSecondMax)) - Instant.now.since(start)
    guard due >= Self.waitMin else { return !Task.isCancelled }
    return await IOExecutor.current.wait(until: .after(due)) == .timedOut
  }
}
