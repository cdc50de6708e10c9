import KVCore
import KVLinux
import KVStore
import Logging

/// Makes the index of the values anew where it may not be whole, and from time to time in any case: files may be put in
/// or taken out by hand.
struct IndexKeeper: Worker {
  /// How long after one the next index is made in any case.
  private static let ageMax = Duration.seconds(7 * 24 * 3600)
  /// How long after a failure, or after one that was mended, it is tried again.
  private static let retryPause = Duration.seconds(60)

  let store: Store
  let logger: Logger
  let pace: Duration
  private var due = Instant.after(Self.ageMax)
  private var notBefore = Instant.now

  init(store: Store, logger: Logger, pace: Duration) {
    self.store = store
    self.logger = logger
    self.pace = pace
  }

  mutating func step(lateBy _: Duration) async {
    let now = Instant.now
    guard now >= due || store.index.needsBuilding, now >= notBefore else { return }
    let failure = store.index.failure
    do throws(SystemError) {
      if let failure { logger.warning("the index has failed, and is made anew: \(failure)") }
      try await store.buildIndex()
      due = .after(Self.ageMax)
      if failure != nil { notBefore = .after(Self.retryPause) }
    } catch {
      notBefore = .after(Self.retryPause)
      logger.warning("the index cannot be made, so listings fail; the next try is in \(Self.retryPause): \(error)")
    }
  }
}
