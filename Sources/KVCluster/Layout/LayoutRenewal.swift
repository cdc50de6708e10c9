import KVCore

/// How a disk that was put back to an earlier state gets its vote about the layout again. All others promise it a ballot, so
/// that nothing below that is decided any more, and tell what they have accepted: whatever the disk has helped to decide, one
/// of them has accepted too.
package struct LayoutRenewal: Sendable {
  package enum Effect: Hashable, Sendable {
    case prepare([LayoutMember])
    /// The disk goes on as if it had promised the ballot and accepted this.
    case renewed(accepted: Ballot, Layout?)
    /// Somebody did not answer, or has promised a higher round: try later, above this.
    case failed(above: Ballot)
  }

  private let ballot: Ballot
  private let own: DiskID
  private let rules: LayoutRules
  /// The layouts whose members must have promised.
  private var scope: [Layout]
  private var promised: Set<DiskID> = []
  private var found: (ballot: Ballot, layout: Layout)?
  private var isEnded = false

  /// A round at a ballot above all that the disk may have promised; `known` is the layout that it goes by, and what it has
  /// accepted besides. Only what is later than the former can still be decided: whoever an earlier one names may be gone.
  package init(at ballot: Ballot, of own: DiskID, known: [Layout], rules: LayoutRules = .all) {
    (self.ballot, self.own, self.rules) = (ballot, own, rules)
    scope = known.enumerated().filter { $0.offset == 0 || $0.element.version > known[0].version }.map(\.element)
  }

  /// The first thing to do.
  package mutating func start() -> [Effect] {
    awaited.isEmpty ? renew() : [.prepare(awaited)]
  }

  package mutating func step(_ event: LayoutRound.Event) -> [Effect] {
    guard !isEnded else { return [] }
    switch event {
    case .timedOut, .answer(.done, _): return fail(above: ballot)
    case .answer(.outbid(let other), _): return fail(above: max(other, ballot))
    case .answer(.promised(let accepted, let layout), let disk):
      promised.insert(disk)
      if let layout, accepted > found?.ballot ?? .none { found = (accepted, layout) }
      guard isEnough else { return [] }
      guard let newest = found?.layout, !scope.contains(newest) else { return renew() }
      scope.append(newest)
      return isEnough ? renew() : [.prepare(awaited)]
    }
  }

  /// Who has yet to promise: everybody but the disk itself, and those who are gone for good.
  private var awaited: [LayoutMember] {
    let lost = scope.reduce(into: Set<Member>()) { $0.formUnion($1.lost) }
    var seen: Set<DiskID> = [own]
    return scope.flatMap(\.members).filter {
      seen.insert($0.disk).inserted && !lost.contains($0.member) && !promised.contains($0.disk)
    }
  }

  private var isEnough: Bool {
    if rules.contains(.renewsFromAll) { return awaited.isEmpty }
    return scope.allSatisfy { $0.isQuorum(promised.union([own])) }
  }

  private mutating func renew() -> [Effect] {
    isEnded = true
    return [.renewed(accepted: found?.ballot ?? .none, found?.layout)]
  }

  private mutating func fail(above other: Ballot) -> [Effect] {
    isEnded = true
    return [.failed(above: other)]
  }
}
