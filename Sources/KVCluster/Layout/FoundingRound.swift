import KVCore

/// The round about the first layout. There is no quorum yet that could decide it, so all that are listed must agree, and a
/// layout that one of them has accepted before is carried through.
package struct FoundingRound: Sendable {
  package enum Effect: Hashable, Sendable {
    case accept(Layout)
    case decided(Layout)
    case failed(above: Ballot)
  }

  private enum State {
    case preparing(promised: Set<DiskID>)
    case accepting(Layout, done: Set<DiskID>)
    case ended
  }

  private let ballot: Ballot
  private let proposed: Layout
  private let disks: Set<DiskID>
  private let rules: LayoutRules
  private var state = State.preparing(promised: [])
  private var found: (ballot: Ballot, layout: Layout)?

  /// A round at a ballot for a first layout.
  package init(at ballot: Ballot, for layout: Layout, askedOf disks: [DiskID], rules: LayoutRules = .all) {
    self.rules = rules
    self.ballot = ballot
    proposed = layout
    self.disks = Set(disks)
  }

  package mutating func step(_ event: LayoutRound.Event) -> [Effect] {
    switch (event, state) {
    case (_, .ended): return []
    case (.timedOut, _): return fail(above: ballot)
    case (.answer(.outbid(let other), _), _): return fail(above: max(other, ballot))
    case (.answer(.promised(let accepted, let layout), let disk), .preparing(var promised)):
      promised.insert(disk)
      if let layout, accepted > found?.ballot ?? .none { found = (accepted, layout) }
      state = .preparing(promised: promised)
      guard isEnough(promised) else { return [] }
      if !rules.contains(.carriesFoundingsThrough) { found = nil }
      // A layout of others than these is theirs to decide.
      if let found, !Set(found.layout.members.map(\.disk)).isSubset(of: disks) { return fail(above: ballot) }
      let layout = found?.layout ?? proposed
      state = .accepting(layout, done: [])
      return [.accept(layout)]
    case (.answer(.done, let disk), .accepting(let layout, var done)):
      done.insert(disk)
      state = .accepting(layout, done: done)
      guard isEnough(done) else { return [] }
      state = .ended
      return [.decided(layout)]
    default: return []
    }
  }

  private func isEnough(_ agreeing: Set<DiskID>) -> Bool {
    if rules.contains(.asksAllFounders) { return disks.isSubset(of: agreeing) }
    return View.isMajority(agreeing, of: disks)
  }

  private mutating func fail(above: Ballot) -> [Effect] {
    state = .ended
    return [.failed(above: above)]
  }
}
