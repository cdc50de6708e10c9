import KVCore
import KVLinux

/// How often, and after which pauses, something is tried again that a node could not do now.
struct Retries: Equatable, Sendable {
  /// Nothing is tried again.
  static let none = Retries(retriesMax: 0)
  /// What many values are worth.
  static let manyDefault = 5
  /// The most there may be.
  static let limit = 1000

  private static let firstPauseSeconds = 0.25
  private static let pauseSecondsMax = 30.0

  let retriesMax: Int
  /// Whether each failure is told before it is tried again.
  var isTold = false

  /// How long to wait after so many failures, the first counted as 0: twice as long each time, and up to a half less,
  /// so that not all clients come back at once. `chance` is from 0 to 1.
  static func pause(afterFailure number: Int, chance: Double) -> Duration {
    let doublings = Double(1 << min(number, 20))
    return .seconds(min(firstPauseSeconds * doublings, pauseSecondsMax) * (1 - chance / 2))
  }

  /// Does something that may be done twice, until it succeeds, fails for good, or has failed too often.
  ///
  /// Where it may not be done twice, only what never reached a node is tried again.
  func run<Result>(
    isRepeatable: Bool = true, _ work: () async throws(CommandError) -> Result
  ) async throws(CommandError) -> Result {
    var failures = 0
    while true {
      do throws(CommandError) {
        return try await work()
      } catch {
        guard error.status == .unreachable, isRepeatable || error.isUnsent, failures < retriesMax else { throw error }
        let pause = Self.pause(afterFailure: failures, chance: .random(in: 0...1))
        failures += 1
        if isTold { Process.writeError("kvctl: \(error.message); trying again (\(failures) of \(retriesMax))\n") }
        _ = await IOExecutor.current.wait(until: .after(pause))
      }
    }
  }
}
