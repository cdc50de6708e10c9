import KVCluster
import KVCore

/// The layout's register alone: hosts that propose changes at random, messages in any order, lost and repeated, hosts that
/// start anew, and hosts that are given up, because they are gone or only out of reach: then these may go on among
/// themselves. At most one layout of each version may ever be decided, each must follow from the one before, and those that
/// go by one epoch of a group must mean the same owners.
final class RegisterWorld {
  enum Message {
    case prepare(round: Int, Ballot)
    case accept(round: Int, Ballot, Layout)
    case answer(round: Int, LayoutAnswer, from: DiskID)
    case learn(Layout)
    case restore(RestoreMessage)
  }

  private struct Proposer {
    let ballot: Ballot
    let host: Int
    let boot: Int
    var round: LayoutRound
  }

  /// What was accepted at a ballot, and by whom.
  private struct Acceptance {
    let layout: Layout
    var disks: Set<DiskID> = []
  }

  static let hostCount = 6
  private static let stepCount = 700

  var random: Randomness
  let rules: LayoutRules
  var acceptors: [LayoutAcceptor] = []
  var boots = Array(repeating: 0, count: hostCount)
  /// The highest counter that each host has seen; it is on disk.
  var counters = Array(repeating: UInt64(1), count: hostCount)
  private var proposers: [Proposer] = []
  var bag: [(source: Int, target: Int, message: Message)] = []
  private var acceptances: [Ballot: Acceptance] = [:]
  private var decided: [UInt64: Layout] = [:]
  /// The ballots of rounds by which somebody was given up: what these bring about overrides what it does not follow.
  private var forced: Set<Ballot> = []
  /// Who votes about the first group's keys, by epoch.
  private var views: [UInt64: View] = [:]
  /// Hosts that are gone with their disks, until others stand in for them.
  var gone: Set<Int> = []
  /// Hosts that reach each other, but none of the rest.
  private var away: Set<Int> = []
  /// Which disk each host has.
  var disks = (0..<hostCount).map { DiskID.of($0) }
  /// Whether hosts are lost, or out of reach, and given up; mostly disks are put back where they are not.
  private let losesHosts: Bool
  var restored = RestoredDisks()
  private var problem: String?
  var counts = Counts()

  init(seed: UInt64, rules: LayoutRules) {
    random = Randomness(seed: seed)
    losesHosts = random.chance(0.6)
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
      case 2 where losesHosts: loseSomebody()
      case 2: putBackSomething()
      default: deliver()
      }
    }
    return problem
  }

  private func loseSomebody() {
    switch random.below(20) {
    case 0: lose(random.below(Self.hostCount))
    case 1, 2: replace()
    case 3, 4: part()
    case 5, 6: putBackSomething()
    default: deliver()
    }
  }

  private func putBackSomething() {
    switch random.below(20) {
    case 0...5: backUp(random.below(Self.hostCount))
    case 6, 7: restore(random.below(Self.hostCount))
    default: renew()
    }
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
    guard left.count >= 3, restored.putBack == nil,
      lists.allSatisfy({ list in list.members.contains { member in left.contains { disks[$0] == member.disk } } })
    else { return }
    counts[.lostDisks] += 1
    gone.insert(host)
    // What one disk has forgotten, another one that is lost cannot say.
    restored.backups = [:]
  }

  /// A host that is gone, or was given up, comes back with an empty disk, which knows of nothing.
  private func replace() {
    guard let host = gone.min() ?? givenUp, restored.putBack != host else { return }
    gone.remove(host)
    restored.backups = [:]
    boots[host] += 1
    disks[host] = DiskID(high: disks[host].high + 1, low: UInt64(host))
    acceptors[host] = LayoutAcceptor(.init(), horizon: 0, rules: rules)
  }

  private var givenUp: Int? {
    let known = acceptors.compactMap { $0.record.known ?? nil }.max { $0.version < $1.version }
    return disks.indices.first { known?.member(of: disks[$0]).map { known?.lost.contains($0) == true } ?? false }
  }

  /// Some no longer reach the others, or all reach each other again.
  private func part() {
    guard away.isEmpty else { return away = [] }
    counts[.partitions] += 1
    away = Set((0..<Self.hostCount).filter { _ in random.chance(0.5) })
  }

  func reaches(_ host: Int, _ other: Int) -> Bool {
    !gone.contains(other) && away.contains(host) == away.contains(other)
  }

  // MARK: Rounds

  private func propose(at host: Int) {
    guard !gone.contains(host), restored.putBack != host, let known = acceptors[host].record.known else { return }
    counters[host] += UInt64(random.pick([1, 1, 1, 5]))
    let ballot = Ballot(counter: counters[host], member: Member(UInt16(host + 1)))
    let seed = random.next()
    let lost = silent(known, to: host)
    let isForced = !lost.isEmpty && restored.putBack == nil && random.chance(0.5)
    if isForced {
      forced.insert(ballot)
      restored.backups = [:]
    }
    let (disks, rules) = (disks, rules)
    let round = LayoutRound(at: ballot, from: known, without: isForced ? lost : [], rules: rules) { layout, ballot in
      var random = Randomness(seed: seed)
      if isForced {
        let open = lost.intersection(layout.members.map(\.member)).subtracting(layout.lost)
        return open.isEmpty ? nil : layout.losing(open, proposal: ballot, rules: rules)
      }
      return random.chance(0.8) ? Self.successor(of: layout, ballot, disks, rules, &random) : nil
    }
    proposers.append(Proposer(ballot: ballot, host: host, boot: boots[host], round: round))
    perform(round.start(), proposers.count - 1)
  }

  /// Members that a host hears nothing of: all of them, or those that its operator names.
  private func silent(_ known: Layout, to host: Int) -> Set<Member> {
    var silent = known.members.filter { !isThere($0.disk, for: host) && !known.lost.contains($0.member) }
    guard silent.count > 1, random.chance(0.3) else { return Set(silent.map(\.member)) }
    random.shuffle(&silent)
    return Set(silent.prefix(1 + random.below(silent.count)).map(\.member))
  }

  private func isThere(_ disk: DiskID, for host: Int) -> Bool {
    disks.firstIndex(of: disk).map { reaches(host, $0) } ?? false
  }

  private static func successor(
    of layout: Layout, _ ballot: Ballot, _ disks: [DiskID], _ rules: LayoutRules, _ random: inout Randomness
  ) -> Layout {
    for member in layout.members where layout.lost.contains(member.member) {
      guard let disk = Int(member.name).map({ disks[$0] }), layout.member(of: disk) == nil, random.chance(0.5) else {
        continue
      }
      return layout.substituting(member.member, by: disk, proposal: ballot, rules: rules)
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
      case .prepare(let members): send(.prepare(round: round, proposer.ballot), from: proposer.host, to: members)
      case .accept(let layout, let members):
        send(.accept(round: round, proposer.ballot, layout), from: proposer.host, to: members)
      case .decided(let layout):
        if decided[layout.version] != layout { problem = "a layout is said to be decided that is not" }
        for host in 0..<Self.hostCount where random.chance(0.6) { bag.append((proposer.host, host, .learn(layout))) }
      case .failed(let above): counters[proposer.host] = max(counters[proposer.host], above.counter)
      case .settled: break
      }
    }
  }

  // MARK: Messages

  func send(_ message: Message, from source: Int, to members: [LayoutMember]) {
    for member in members { if let host = Int(member.name) { bag.append((source, host, message)) } }
  }

  private func deliver() {
    guard !bag.isEmpty else { return propose(at: random.below(Self.hostCount)) }
    let place = random.below(bag.count)
    let (source, target, message) = bag[place]
    if random.chance(0.9) { bag.swapRemove(place) } else { counts[.doubledMessages] += 1 }
    guard !random.chance(0.1), reaches(source, target) else { return counts[.lostMessages] += 1 }
    handle(message, at: target)
  }

  private func handle(_ message: Message, at host: Int) {
    switch message {
    case .prepare where restored.putBack == host, .accept where restored.putBack == host: break
    case .restore(let message): take(message, at: host)
    case .prepare(let round, let ballot):
      counters[host] = max(counters[host], ballot.counter)
      answer(round, acceptors[host].prepare(ballot), from: host)
    case .accept(let round, let ballot, let layout):
      guard !givesUpTheLiving(layout, host) else { return }
      counters[host] = max(counters[host], ballot.counter)
      let answer = acceptors[host].accept(ballot, layout)
      if case .done = answer { note(ballot, layout, host) }
      self.answer(round, answer, from: host)
    case .answer(let round, let answer, let source):
      guard boots[host] == proposers[round].boot else { return }
      perform(proposers[round].round.step(.answer(answer, from: source)), round)
    case .learn(let layout): _ = acceptors[host].learn(layout)
    }
  }

  private func answer(_ round: Int, _ answer: LayoutAnswer, from host: Int) {
    bag.append((host, proposers[round].host, .answer(round: round, answer, from: disks[host])))
  }

  /// Nobody agrees to a layout that gives up somebody who is there.
  private func givesUpTheLiving(_ layout: Layout, _ host: Int) -> Bool {
    let given = layout.lost.subtracting(acceptors[host].record.known?.lost ?? [])
    return layout.members.contains { given.contains($0.member) && isThere($0.disk, for: host) }
  }

  /// Whether a layout is decided is for those who accepted it to say, not for the round.
  private func note(_ ballot: Ballot, _ layout: Layout, _ host: Int) {
    acceptances[ballot, default: Acceptance(layout: layout)].disks.insert(disks[host])
    guard let acceptance = acceptances[ballot], layout.isQuorum(acceptance.disks), layout.isAgreed(acceptance.disks)
    else { return }
    guard let other = decided[layout.version] else {
      counts[.layouts] += 1
      decided[layout.version] = layout
      let view = layout.view(of: Slot(number: 0))
      if views.updateValue(view, forKey: view.epoch) ?? view != view { problem = "one epoch has two views" }
      if !forced.contains(layout.proposal), decided[layout.version - 1]?.lists != layout.predecessors {
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
