import KVLinux

/// Keeps a scrub to its rate, and from holding its thread for good.
struct ScrubPace {
  /// Waits shorter than this are saved up.
  private static let waitMin = Duration.milliseconds(50)

  private let bytesPerSecondMax: Int?
  private let start = Instant.now
  private var bytesRead = 0
  private var turn = Turn()

  init(bytesPerSecondMax: Int?) {
    self.bytesPerSecondMax = bytesPerSecondMax
  }

  /// Counts what was read, and waits until the rate allows for more. False once the task is cancelled.
  mutating func moved(_ byteCount: Int) async -> Bool {
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
