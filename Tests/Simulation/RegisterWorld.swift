import KVCluster
import KVCore

/// The layout's register alone: hosts that propose changes at random, messages in any order, lost and repeated, and hosts
/// that start anew. At most one layout of each version may ever be decided, and each must follow from the one before.
final class RegisterWorld {
  private enum Message {
    case prepare(round: Int, Ballot)
    case accept(round: Int, Ballot, Layout)
    case answer(round: Int, LayoutAnswer, from: DiskID)
    case ask(renewal: Int, Ballot)
    case tell(renewal: Int, LayoutAnswer, from: DiskID)
    case learn(Layout)
  }

  private struct Proposer {
    let ballot: Ballot
    let host: Int
    let boot: Int
    var round: LayoutRound
    /// Whose votes it does without.
    let lost: Set<Member>
  }

  /// A host that asks for what its disk has forgotten.
  private struct Renewer {
    let ballot: Ballot
    let host: Int
    let boot: Int
    var renewal: LayoutRenewal
  }

  /// A copy of what a disk had.
  private struct Backup {
    let record: LayoutAcceptor.Record
    let counter: UInt64
  }

  /// What was accepted at a ballot, and by whom.
  private struct Acceptance {
    let layout: Layout
    var disks: Set<DiskID> = []
  }

  private static let hostCount = 6
  private static let stepCount = 700

  private var random: Randomness
  private let rules: LayoutRules
  private var acceptors: [LayoutAcceptor] = []
  private var boots = Array(repeating: 0, count: hostCount)
  /// The highest counter that each host has seen; it is on disk.
  private var counters = Array(repeating: UInt64(1), count: hostCount)
  private var proposers: [Proposer] = []
  private var renewers: [Renewer] = []
  private var backups = [Backup?](repeating: nil, count: hostCount)
  /// The host whose disk was put back to what a backup had, and that has no vote.
  private var putBack: Int?
  private var bag: [(target: Int, message: Message)] = []
  private var acceptances: [Ballot: Acceptance] = [:]
  private var decided: [UInt64: Layout] = [:]
  /// Hosts that are gone with their disks, until others stand in for them.
  private var gone: Set<Int> = []
  /// Which disk each host has.
  private var disks = (0..<hostCount).map { DiskID.of($0) }
  private var problem: String?
  private(set) var counts = Counts()

  init(seed: UInt64, rules: LayoutRules) {
    random = Randomness(seed: seed)
    self.rules = rules
    let first = Layout(
      first: MemberList((0..<3).map { LayoutMember(Member(UInt16($0 + 1)), at: $0) }, copies: 3), proposal: .none)
    decided[1] = first
    for _ in 0..<Self.hostCount {
      var acceptor = LayoutAcceptor(.init(), horizon: 0, rules: rules)
      _ = acceptor.learn(first)
      acceptors.append(acceptor)
    }
  }

  func run() -> String? {
    for _ in 0..<Self.stepCount where problem == nil {
      switch random.below(20) {
      case 0: propose(at: random.below(Self.hostCount))
      case 1 where random.chance(0.3): restart(random.below(Self.hostCount))
      case 2 where random.chance(0.05): lose(random.below(Self.hostCount))
      case 2 where random.chance(0.1): replace()
      case 3 where random.chance(0.3): backUp(random.below(Self.hostCount))
      case 3 where random.chance(0.15): restore(random.below(Self.hostCount))
      case 3: renew()
      default: deliver()
      }
    }
    return problem
  }

  private func restart(_ host: Int) {
    counts[.kills] += 1
    boots[host] += 1
    acceptors[host] = LayoutAcceptor(acceptors[host].record, horizon: counters[host], rules: rules)
  }

  /// A host is gone for good, as long as some are left in each list.
  private func lose(_ host: Int) {
    let left = Set(0..<Self.hostCount).subtracting(gone).subtracting([host])
    let lists = acceptors.compactMap { $0.record.known ?? nil }.flatMap(\.lists)
    guard left.count >= 3, putBack == nil,
      lists.allSatisfy({ list in list.members.contains { member in left.contains { disks[$0] == member.disk } } })
    else { return }
    counts[.lostDisks] += 1
    gone.insert(host)
    // What one disk has forgotten, another one that is lost cannot say.
    backups = backups.map { _ in nil }
  }

  /// It comes back with an empty disk, which knows of nothing.
  private func replace() {
    guard let host = gone.min() else { return }
    gone.remove(host)
    boots[host] += 1
    disks[host] = DiskID(high: disks[host].high + 1, low: UInt64(host))
    acceptors[host] = LayoutAcceptor(.init(), horizon: 0, rules: rules)
  }

  // MARK: Disks that are put back

  private func backUp(_ host: Int) {
    guard !gone.contains(host), putBack != host else { return }
    backups[host] = Backup(record: acceptors[host].record, counter: counters[host])
  }

  /// A disk is put back to what it once was, one at a time, where somebody remembers that it had come further. What one has
  /// decided all alone, nobody else can tell.
  private func restore(_ host: Int) {
    guard let backup = backups[host], putBack == nil, !gone.contains(host), !mayDecideAlone,
      rememberer(of: host) != nil
    else { return }
    counts[.restoredDisks] += 1
    boots[host] += 1
    counters[host] = backup.counter
    acceptors[host] = LayoutAcceptor(backup.record, horizon: backup.counter, rules: rules)
    if rules.contains(.renewsVotes) { putBack = host }
  }

  private var mayDecideAlone: Bool {
    acceptors.contains { acceptor in
      [acceptor.record.known, acceptor.record.layout].compactMap(\.self).contains { layout in
        (layout.lists + layout.predecessors).contains { list in
          list.members.count { !layout.lost.contains($0.member) } < 2
        }
      }
    }
  }

  /// Another host that goes by a layout which has the disk, or has accepted one.
  private func rememberer(of host: Int) -> Int? {
    let others = (0..<Self.hostCount).filter { other in
      let record = acceptors[other].record
      return other != host && !gone.contains(other)
        && [record.known, record.layout].contains { $0?.member(of: disks[host]) != nil }
    }
    return others.isEmpty ? nil : random.pick(others)
  }

  /// The host asks for what it has forgotten. No clock is so far behind that a ballot were below those of before.
  private func renew() {
    guard let host = putBack, let other = rememberer(of: host) else { return }
    if let known = acceptors[other].record.known { _ = acceptors[host].learn(known) }
    let record = acceptors[host].record
    guard let known = record.known else { return }
    counters[host] = (counters.max() ?? 0) + 1
    let ballot = Ballot(counter: counters[host], member: Member(UInt16(host + 1)))
    let renewal = LayoutRenewal(
      at: ballot, of: disks[host], known: [known] + [record.layout].compactMap { $0 }, rules: rules)
    renewers.append(Renewer(ballot: ballot, host: host, boot: boots[host], renewal: renewal))
    let number = renewers.count - 1
    perform(renewers[number].renewal.start(), renewal: number)
  }

  private func perform(_ effects: [LayoutRenewal.Effect], renewal number: Int) {
    let renewer = renewers[number]
    for effect in effects {
      switch effect {
      case .prepare(let members): send(.ask(renewal: number, renewer.ballot), to: members)
      case .failed: break
      case .renewed(let accepted, let layout):
        guard putBack == renewer.host else { continue }
        acceptors[renewer.host].renew(promising: renewer.ballot, accepted: accepted, layout)
        putBack = nil
      }
    }
  }

  // MARK: Rounds

  private func propose(at host: Int) {
    guard !gone.contains(host), putBack != host, let known = acceptors[host].record.known else { return }
    counters[host] += UInt64(random.pick([1, 1, 1, 5]))
    let ballot = Ballot(counter: counters[host], member: Member(UInt16(host + 1)))
    let seed = random.next()
    let lost = Set(known.members.filter { !isThere($0.disk) }.map(\.member)).subtracting(known.lost)
    let isForced = !lost.isEmpty && random.chance(0.5)
    let disks = disks
    let round = LayoutRound(at: ballot, from: known, without: isForced ? lost : [], rules: rules) { layout, ballot in
      var random = Randomness(seed: seed)
      if isForced {
        let open = lost.intersection(layout.members.map(\.member)).subtracting(layout.lost)
        return open.isEmpty ? nil : layout.losing(open, proposal: ballot)
      }
      return random.chance(0.8) ? Self.successor(of: layout, ballot, disks, &random) : nil
    }
    proposers.append(
      Proposer(ballot: ballot, host: host, boot: boots[host], round: round, lost: isForced ? lost : []))
    perform(round.start(), proposers.count - 1)
  }

  private func isThere(_ disk: DiskID) -> Bool {
    disks.firstIndex(of: disk).map { !gone.contains($0) } ?? false
  }

  private static func successor(
    of layout: Layout, _ ballot: Ballot, _ disks: [DiskID], _ random: inout Randomness
  ) -> Layout {
    for member in layout.members where layout.lost.contains(member.member) {
      guard let disk = Int(member.name).map({ disks[$0] }), layout.member(of: disk) == nil, random.chance(0.5) else {
        continue
      }
      return layout.substituting(member.member, by: disk, proposal: ballot)
    }
    if layout.next != nil, random.chance(0.1) { return layout.reversing(proposal: ballot) }
    guard layout.next != nil else { return layout.changing(to: list(after: layout, disks, &random), proposal: ballot) }
    let all = Array(layout.groups.indices)
    switch layout.groups[0].phase {
    case .old where random.chance(0.3): return layout.finished(proposal: ballot)
    case .old: return layout.moving(all, proposal: ballot)
    case .moving: return layout.switching(all, proposal: ballot)
    case .new: return layout.finished(proposal: ballot)
    }
  }

  /// Others, or mostly the same, in which each disk keeps its number.
  private static func list(after layout: Layout, _ disks: [DiskID], _ random: inout Randomness) -> MemberList {
    var hosts = Array(0..<hostCount)
    random.shuffle(&hosts)
    if random.chance(0.5) {
      hosts = layout.current.members.compactMap { Int($0.name) }
      hosts[random.below(hosts.count)] = random.below(hostCount)
      hosts = Set(hosts).sorted()
    }
    var last = layout.lastMember.number
    let members = hosts.prefix(random.pick([1, 2, 3, 3, 3])).map { host in
      if let known = layout.current.members.first(where: { $0.disk == disks[host] }) { return known }
      last += 1
      return LayoutMember(member: Member(last), name: String(host), disk: disks[host])
    }
    return MemberList(members, copies: 3)
  }

  private func perform(_ effects: [LayoutRound.Effect], _ round: Int) {
    let proposer = proposers[round]
    for effect in effects {
      switch effect {
      case .prepare(let members): send(.prepare(round: round, proposer.ballot), to: members)
      case .accept(let layout, let members): send(.accept(round: round, proposer.ballot, layout), to: members)
      case .decided(let layout):
        // A layout that those who are given up may have helped to decide is carried through without them.
        if !proposer.lost.isEmpty, decided[layout.version] == nil { decided[layout.version] = layout }
        if decided[layout.version] != layout { problem = "a layout is said to be decided that is not" }
        for host in 0..<Self.hostCount where random.chance(0.6) { bag.append((host, .learn(layout))) }
      case .failed(let above): counters[proposer.host] = max(counters[proposer.host], above.counter)
      case .settled: break
      }
    }
  }

  // MARK: Messages

  private func send(_ message: Message, to members: [LayoutMember]) {
    for member in members { if let host = Int(member.name) { bag.append((host, message)) } }
  }

  private func deliver() {
    guard !bag.isEmpty else { return propose(at: random.below(Self.hostCount)) }
    let place = random.below(bag.count)
    let (target, message) = bag[place]
    if random.chance(0.9) { bag.swapRemove(place) } else { counts[.doubledMessages] += 1 }
    guard !random.chance(0.1) else { return counts[.lostMessages] += 1 }
    handle(message, at: target)
  }

  private func handle(_ message: Message, at host: Int) {
    guard !gone.contains(host) else { return }
    switch message {
    case .prepare where putBack == host, .accept where putBack == host, .ask where putBack == host: break
    case .ask(let renewal, let ballot):
      counters[host] = max(counters[host], ballot.counter)
      bag.append(
        (renewers[renewal].host, .tell(renewal: renewal, acceptors[host].prepare(ballot), from: disks[host])))
    case .tell(let number, let answer, let source):
      guard boots[host] == renewers[number].boot else { return }
      perform(renewers[number].renewal.step(.answer(answer, from: source)), renewal: number)
    case .prepare(let round, let ballot):
      counters[host] = max(counters[host], ballot.counter)
      bag.append((proposers[round].host, .answer(round: round, acceptors[host].prepare(ballot), from: disks[host])))
    case .accept(let round, let ballot, let layout):
      counters[host] = max(counters[host], ballot.counter)
      let answer = acceptors[host].accept(ballot, layout)
      if case .done = answer { note(ballot, layout, host) }
      bag.append((proposers[round].host, .answer(round: round, answer, from: disks[host])))
    case .answer(let round, let answer, let source):
      guard boots[host] == proposers[round].boot else { return }
      perform(proposers[round].round.step(.answer(answer, from: source)), round)
    case .learn(let layout): _ = acceptors[host].learn(layout)
    }
  }

  /// Whether a layout is decided is for those who accepted it to say, not for the round.
  private func note(_ ballot: Ballot, _ layout: Layout, _ host: Int) {
    acceptances[ballot, default: Acceptance(layout: layout)].disks.insert(disks[host])
    guard let acceptance = acceptances[ballot], layout.isQuorum(acceptance.disks), layout.isAgreed(acceptance.disks)
    else { return }
    guard let other = decided[layout.version] else {
      counts[.layouts] += 1
      decided[layout.version] = layout
      let isForced = layout.version > Layout.forcedVersions && decided[layout.version - 1] == nil
      if !isForced, decided[layout.version - 1]?.lists != layout.predecessors {
        problem = "a layout follows from an undecided one"
      }
      return
    }
    if other != layout { problem = "two layouts of version \(layout.version) are decided" }
  }
}

extension DiskID {
  fileprivate static func of(_ host: Int) -> DiskID { DiskID(high: 0, low: UInt64(host)) }
}

extension LayoutMember {
  fileprivate init(_ member: Member, at host: Int) { self.init(member: member, name: String(host), disk: .of(host)) }
}

extension Array {
  fileprivate mutating func swapRemove(_ place: Int) {
    swapAt(place, count - 1)
    removeLast()
  }
}
