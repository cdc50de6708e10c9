import KVCore

/// What a disk answers about the layout.
package enum LayoutAnswer: Hashable, Sendable {
  /// To a prepare: what was accepted last, and at which ballot.
  case promised(accepted: Ballot, Layout?)
  /// To an accept.
  case done
  case outbid(Ballot)
}

/// How one disk votes about the layout. Unlike a key's register, what it decides on carries its own quorums.
package struct LayoutAcceptor: Sendable {
  /// What is written, and synced, before the answer goes out.
  package struct Record: Hashable, Sendable {
    package fileprivate(set) var accepted = Ballot.none
    package fileprivate(set) var layout: Layout?
    /// The newest layout that is known to be decided, or nil before the first.
    package fileprivate(set) var known: Layout?

    package init() {}

    init(accepted: Ballot, layout: Layout?, known: Layout?) {
      self.accepted = accepted
      self.layout = layout
      self.known = known
    }
  }

  package private(set) var record: Record
  private let rules: LayoutRules
  private var promise: Ballot

  /// A disk's votes from its start on. It takes part in no round at or below its horizon, which is all that it may have
  /// promised before.
  package init(_ record: Record, horizon: UInt64, rules: LayoutRules = .all) {
    self.record = record
    self.rules = rules
    promise = max(.last(of: horizon), record.accepted)
  }

  /// Votes again after having been put back to an earlier state. All others have promised it the ballot, so that it may
  /// propose what was accepted last, and accept that itself; where nobody has accepted anything, what is decided.
  package mutating func renew(at ballot: Ballot, accepted: Ballot, _ layout: Layout?) {
    guard ballot >= promise else { return }
    promise = ballot
    let last = accepted > record.accepted ? layout : record.layout
    record.layout = last ?? record.known
    record.accepted = ballot
  }

  package mutating func prepare(_ ballot: Ballot) -> LayoutAnswer {
    // The same request may come twice.
    guard ballot >= promise else { return .outbid(promise) }
    promise = ballot
    return .promised(accepted: record.accepted, record.layout)
  }

  package mutating func accept(_ ballot: Ballot, _ layout: Layout) -> LayoutAnswer {
    if rules.contains(.keepsPromises), ballot < promise { return .outbid(promise) }
    guard ballot >= record.accepted else { return .outbid(record.accepted) }
    promise = max(promise, ballot)
    record.accepted = ballot
    record.layout = layout
    return .done
  }

  /// A layout is known to be decided. False where a newer one is known.
  package mutating func learn(_ layout: Layout) -> Bool {
    if let known = record.known, known.version >= layout.version { return false }
    record.known = layout
    return true
  }
}

/// The rules of the layout's register, as `Rules` has those of the keys'.
package struct LayoutRules: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let all = LayoutRules(rawValue: .max)
  /// A disk keeps out of rounds below its promise.
  package static let keepsPromises = LayoutRules(rawValue: 1 << 0)
  /// A layout is decided only where its predecessor's members agree.
  package static let asksPredecessors = LayoutRules(rawValue: 1 << 1)
  /// A layout is decided only where its own members agree.
  package static let asksSuccessors = LayoutRules(rawValue: 1 << 2)
  /// Where a newer layout turns up, its members are asked too before anything is proposed.
  package static let extendsPrepare = LayoutRules(rawValue: 1 << 3)
  /// A first layout is decided only where all that are listed agree.
  package static let asksAllFounders = LayoutRules(rawValue: 1 << 4)
  /// A first layout that somebody has accepted before is carried through.
  package static let carriesFoundingsThrough = LayoutRules(rawValue: 1 << 5)
  /// A layout that gives somebody up has a version that nobody else comes to.
  package static let jumpsWhenForced = LayoutRules(rawValue: 1 << 6)
  /// Where a disk stands in for one that was given up, or an undecided layout is overridden, what was asked before is
  /// refused.
  package static let renewsEpochs = LayoutRules(rawValue: 1 << 7)
  /// What may be about to be decided otherwise by those who are given up is overridden, not carried through.
  package static let overridesFound = LayoutRules(rawValue: 1 << 8)
  /// A disk that was put back to an earlier state votes only after it has asked others for what it may have accepted.
  package static let renewsVotes = LayoutRules(rawValue: 1 << 9)
  /// It asks all of them.
  package static let renewsFromAll = LayoutRules(rawValue: 1 << 10)
}
