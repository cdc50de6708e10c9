import KVLinux
import KVStore
import Logging

/// Raises the horizon of the disk's votes in good time, so that no request has to wait for it.
struct HorizonKeeper: Worker {
  let votes: Votes
  let logger: Logger
  let pace: Duration
  private var hasFailed = false

  init(votes: Votes, logger: Logger, pace: Duration) {
    self.votes = votes
    self.logger = logger
    self.pace = pace
  }

  mutating func step(lateBy _: Duration) async {
    do throws(SystemError) {
      try votes.keepAhead()
      hasFailed = false
    } catch {
      if !hasFailed {
        logger.warning("the data directory's file 'node' cannot be written, and is tried again: \(error)")
      }
      hasFailed = true
    }
  }
}
