/// What a scrub has gone through.
public struct ScrubSummary: Equatable, Sendable {
  /// How many values were looked at.
  public var values = 0
  /// How many bytes they have.
  public var bytes = 0
  /// How many of them are not what was stored.
  public var damaged = 0
  /// How many of the damaged ones were moved to `quarantine/`.
  public var quarantined = 0
  /// How many were found damaged earlier, moved away, and have not been stored anew or deleted since.
  public var lost = 0
  /// How many have no recorded checksum, so that nothing can be said of them.
  public var unverified = 0
  /// How many files lie among the values that no PUT would have named so. kvnode does not serve them.
  public var strays = 0
  /// How many files and directories could not be looked at.
  public var unchecked = 0

  /// Nothing yet.
  public init() {}

  mutating func count(_ event: ScrubEvent) {
    switch event {
    case .damaged(let finding):
      damaged += 1
      if finding.quarantinePath != nil { quarantined += 1 }
    case .lost: lost += 1
    case .unchecked: unchecked += 1
    }
  }
}
