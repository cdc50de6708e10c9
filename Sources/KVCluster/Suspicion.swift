import KVCore

/// Whether another node is worth waiting for, as the requests to it have fared.
///
/// Once it has kept several requests in a row waiting in vain, it is suspect: requests to it fail at once, so that its
/// silence costs no client any time and no connection. After a pause one of them goes to it as a probe. What the node
/// makes of that one decides: any reaction clears it, and silence makes the next pause longer.
///
/// A refused connection is a reaction. It comes at once, so there is no waiting to spare anyone, and a node that is
/// being restarted is served again from its first moment.
package struct PeerSuspicion: Equatable, Sendable {
  /// What is to be done with a request.
  package enum Verdict: Equatable, Sendable {
    /// It goes to the node.
    case ask
    /// It fails, for this reason, without a try.
    case failFast(reason: String)
  }

  /// What an event has changed, to be told to whoever watches.
  package enum Change: Equatable, Sendable {
    /// Requests fail at once from now on, the next probe so much later.
    case suspected(pause: Duration)
    /// Requests go to the node again.
    case cleared
  }

  private enum State: Equatable, Sendable {
    /// So many requests in a row were kept waiting in vain.
    case trusted(failureCount: Int)
    /// Nothing goes to the node until the pause is over.
    case suspect(since: Instant, pause: Duration, reason: String)
    /// One request is on its way to the node. Should nobody tell what has become of it, another may go after the pause.
    case probing(since: Instant, pause: Duration, reason: String)
  }

  /// How many requests in a row are kept waiting in vain before the node is suspect.
  package static let failureCountMax = 3
  /// The pause before the first probe.
  package static let pauseMin = Duration.seconds(1)
  /// The longest pause: how long a node that is back may stay suspect while requests for it keep coming.
  package static let pauseMax = Duration.seconds(8)

  private var state = State.trusted(failureCount: 0)

  /// A node that is trusted.
  package init() {}

  /// A request wants to go to the node.
  package mutating func request(at now: Instant) -> Verdict {
    switch state {
    case .trusted: return .ask
    case .suspect(let since, let pause, let reason), .probing(let since, let pause, let reason):
      guard now.since(since) >= pause else { return .failFast(reason: reason) }
      state = .probing(since: now, pause: pause, reason: reason)
      return .ask
    }
  }

  /// The node reacted to a request: it answered, whatever it said, or it refused the connection.
  package mutating func reacted() -> Change? {
    defer { state = .trusted(failureCount: 0) }
    if case .trusted = state { return nil }
    return .cleared
  }

  /// The node kept a request waiting in vain: no connection, no acknowledgement or no answer in time.
  package mutating func keptWaiting(at now: Instant, reason: String) -> Change? {
    switch state {
    case .trusted(let failureCount) where failureCount + 1 < Self.failureCountMax:
      state = .trusted(failureCount: failureCount + 1)
      return nil
    case .trusted: return suspect(at: now, pause: Self.pauseMin, reason: reason)
    case .probing(_, let pause, _): return suspect(at: now, pause: min(pause * 2, Self.pauseMax), reason: reason)
    case .suspect:
      // A request that went out before the others had failed says nothing new.
      return nil
    }
  }

  private mutating func suspect(at now: Instant, pause: Duration, reason: String) -> Change {
    state = .suspect(since: now, pause: pause, reason: reason)
    return .suspected(pause: pause)
  }
}
