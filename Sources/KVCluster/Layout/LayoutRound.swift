import KVCore

/// One round about the layout: from the layout that is known to the one that follows it, or to one that somebody else has
/// begun to decide on, which is carried through first.
package struct LayoutRound: Sendable {
  package enum Event: Sendable {
    case answer(LayoutAnswer, from: DiskID)
    /// Nobody else will answer in time.
    case timedOut
  }

  package enum Effect: Hashable, Sendable {
    case prepare([LayoutMember])
    case accept(Layout, [LayoutMember])
    /// It is decided: tell everybody.
    case decided(Layout)
    /// Nothing was proposed: what is known is in force, and nothing was wished.
    case settled
    /// Too few answered, or a higher round was here: try later, above this.
    case failed(above: Ballot)
  }

  private enum State {
    case preparing
    case accepting(Layout, done: Set<DiskID>)
    case ended
  }

  private let ballot: Ballot
  private let known: Layout
  private let rules: LayoutRules
  /// Members that are given up: their promises are not waited for.
  private let lost: Set<Member>
  private let proposed: @Sendable (Layout, Ballot) -> Layout?
  private var state = State.preparing
  /// The layouts whose quorums must have promised.
  private var scope: [Layout]
  private var promised: Set<DiskID> = []
  private var found: (ballot: Ballot, layout: Layout)?
  private var highest: Ballot

  /// A round at a ballot; `propose` says what is to follow a layout, or nil.
  package init(
    at ballot: Ballot, from known: Layout, without lost: Set<Member> = [], rules: LayoutRules = .all,
    propose: @escaping @Sendable (Layout, Ballot) -> Layout?
  ) {
    self.ballot = ballot
    self.known = known
    self.rules = rules
    self.lost = lost
    proposed = propose
    scope = [known]
    highest = ballot
  }

  /// The first thing to do.
  package func start() -> [Effect] { [.prepare(known.members)] }

  package mutating func step(_ event: Event) -> [Effect] {
    switch (event, state) {
    case (_, .ended): return []
    case (.answer(_, let disk), _) where isLost(disk): return []
    case (.timedOut, _): return fail()
    case (.answer(.outbid(let other), _), _):
      highest = max(highest, other)
      return fail()
    case (.answer(.promised(let accepted, let layout), let disk), .preparing):
      promised.insert(disk)
      if let layout, accepted > found?.ballot ?? .none { found = (accepted, layout) }
      return scope.allSatisfy({ $0.isQuorum(promised, without: lost) }) ? extend() : []
    case (.answer(.done, let disk), .accepting(let layout, var done)):
      done.insert(disk)
      state = .accepting(layout, done: done)
      guard isDecided(layout, by: done) else { return [] }
      state = .ended
      return [.decided(layout)]
    default: return []
    }
  }

  /// What a disk says that is given up does not count.
  private func isLost(_ disk: DiskID) -> Bool {
    known.member(of: disk).map { lost.contains($0) || known.lost.contains($0) } ?? false
  }

  /// A layout that was found is decided on by its own members: they must have promised too.
  private mutating func extend() -> [Effect] {
    var newest = found?.layout ?? known
    // Those who decided on what is known may all be given up, and those left have accepted something older at most. What is
    // known was decided all the same.
    if newest.version < known.version, !lost.isEmpty { newest = known }
    if !scope.contains(newest), rules.contains(.extendsPrepare) {
      scope.append(newest)
      if !newest.isQuorum(promised, without: lost) {
        return [.prepare(newest.members.filter { !promised.contains($0.disk) })]
      }
    }
    return propose(after: newest)
  }

  private mutating func propose(after newest: Layout) -> [Effect] {
    // What is known was decided by a quorum that was just asked; something older means that it went on meanwhile.
    guard newest.version >= known.version else { return fail() }
    guard let layout = newest.version > known.version ? carried(newest) : proposed(newest, ballot) else {
      state = .ended
      return [.settled]
    }
    state = .accepting(layout, done: [])
    return [.accept(layout, electors(of: layout))]
  }

  /// What cannot be decided without those who are given up may be about to be decided otherwise by them. It is not carried
  /// through without them, but overridden.
  private func carried(_ newest: Layout) -> Layout {
    let electors = Set(electors(of: newest).map(\.member))
    guard rules.contains(.overridesFound), !lost.intersection(electors).isSubset(of: newest.lost) else { return newest }
    return newest.losing(
      lost.intersection(newest.members.map(\.member)), since: known.version, proposal: ballot, rules: rules)
  }

  private func isDecided(_ layout: Layout, by disks: Set<DiskID>) -> Bool {
    let byOwn = !rules.contains(.asksSuccessors) || layout.isQuorum(disks, without: lost)
    let byPredecessors = !rules.contains(.asksPredecessors) || layout.isAgreed(disks, without: lost)
    return byOwn && byPredecessors
  }

  private func electors(of layout: Layout) -> [LayoutMember] {
    var seen: Set<DiskID> = []
    return (layout.members + layout.predecessors.flatMap(\.members)).filter { seen.insert($0.disk).inserted }
  }

  private mutating func fail() -> [Effect] {
    state = .ended
    return [.failed(above: highest)]
  }
}
