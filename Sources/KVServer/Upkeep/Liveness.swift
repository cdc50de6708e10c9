/// Whether this node lives, by the checks that it sends out and what comes back of them.
///
/// Each check writes to the disk and passes through the disk threads, on a thread of its own. One that has not come back
/// may be stuck, or behind others on a disk that has much to do: as long as the store gets on, the node lives.
struct Liveness: Equatable, Sendable {
  /// What is to be done at a beat.
  struct Beat: Equatable, Sendable {
    /// Whether a check is to be sent out: there is none under way.
    let sendsCheck: Bool
    /// Whether the store has got on since the last beat, although the check has not come back.
    let isBusy: Bool
  }

  private var isUnderWay = false
  private var progress = 0

  /// It is time for the next check. `progress` counts what the store has done.
  mutating func beat(progress: Int) -> Beat {
    defer {
      self.progress = progress
      isUnderWay = true
    }
    return Beat(sendsCheck: !isUnderWay, isBusy: isUnderWay && progress != self.progress)
  }

  /// The check has come back, whatever it found.
  mutating func cameBack() { isUnderWay = false }
}
