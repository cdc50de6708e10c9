import KVCluster
import KVCore

/// The layout's register alone: hosts that propose changes at random, messages in any order, lost and repeated, and hosts
/// that start anew. At most one layout of each version may ever be decided, and each must follow from the one before.
final class RegisterWorld {
  private enum Message {
    case prepare(round: Int, Ballot)
    case accept(round: Int, Ballot, Layout)
    case answer(round: Int, LayoutAnswer, from: Int)
    case learn(Layout)
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

  private static let hostCount = 6
  private static let stepCount = 700

  private var random: Randomness
  private let rules: LayoutRules
  private var acceptors: [LayoutAcceptor] = []
  private var boots = Array(repeating: 0, count: hostCount)
  /// The highest counter that each host has seen; it is on disk.
  private var counters = Array(repeating: UInt64(1), count: hostCount)
  private var proposers: [Proposer] = []
  private var bag: [(target: Int, message: Message)] = []
  private var acceptances: [Ballot: Acceptance] = [:]
  private var decided: [UInt64: Layout] = [:]
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

  // MARK: Rounds

  private func propose(at host: Int) {
    guard let known = acceptors[host].record.known else { return }
    counters[host] += UInt64(random.pick([1, 1, 1, 5]))
    let ballot = Ballot(counter: counters[host], member: Member(UInt16(host + 1)))
    let seed = random.next()
    let round = LayoutRound(at: ballot, from: known, rules: rules) { layout, ballot in
      var random = Randomness(seed: seed)
      return random.chance(0.8) ? Self.successor(of: layout, ballot, &random) : nil
    }
    proposers.append(Proposer(ballot: ballot, host: host, boot: boots[host], round: round))
    perform(round.start(), proposers.count - 1)
  }

  private static func successor(of layout: Layout, _ ballot: Ballot, _ random: inout Randomness) -> Layout {
    guard layout.next != nil else { return layout.changing(to: list(after: layout, &random), proposal: ballot) }
    let all = Array(layout.groups.indices)
    switch layout.groups[0].phase {
    case .old where random.chance(0.3): return layout.finished(proposal: ballot)
    case .old: return layout.moving(all, proposal: ballot)
    case .moving where random.chance(0.2): return layout.cancelling(all, proposal: ballot)
    case .moving: return layout.switching(all, proposal: ballot)
    case .new: return layout.finished(proposal: ballot)
    }
  }

  /// Others, or mostly the same, in which each disk keeps its number.
  private static func list(after layout: Layout, _ random: inout Randomness) -> MemberList {
    var hosts = Array(0..<hostCount)
    random.shuffle(&hosts)
    if random.chance(0.5) {
      hosts = layout.current.members.compactMap { Int($0.name) }
      hosts[random.below(hosts.count)] = random.below(hostCount)
      hosts = Set(hosts).sorted()
    }
    var last = layout.lastMember.number
    let members = hosts.prefix(random.pick([1, 2, 3, 3, 3])).map { host in
      if let known = layout.current.members.first(where: { $0.name == String(host) }) { return known }
      last += 1
      return LayoutMember(Member(last), at: host)
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
    switch message {
    case .prepare(let round, let ballot):
      counters[host] = max(counters[host], ballot.counter)
      bag.append((proposers[round].host, .answer(round: round, acceptors[host].prepare(ballot), from: host)))
    case .accept(let round, let ballot, let layout):
      counters[host] = max(counters[host], ballot.counter)
      let answer = acceptors[host].accept(ballot, layout)
      if case .done = answer { note(ballot, layout, host) }
      bag.append((proposers[round].host, .answer(round: round, answer, from: host)))
    case .answer(let round, let answer, let source):
      guard boots[host] == proposers[round].boot else { return }
      perform(proposers[round].round.step(.answer(answer, from: .of(source))), round)
    case .learn(let layout): _ = acceptors[host].learn(layout)
    }
  }

  /// Whether a layout is decided is for those who accepted it to say, not for the round.
  private func note(_ ballot: Ballot, _ layout: Layout, _ host: Int) {
    acceptances[ballot, default: Acceptance(layout: layout)].disks.insert(.of(host))
    guard let acceptance = acceptances[ballot], layout.isQuorum(acceptance.disks),
      layout.predecessors.allSatisfy({ $0.isMajority(acceptance.disks) })
    else { return }
    guard let other = decided[layout.version] else {
      counts[.layouts] += 1
      decided[layout.version] = layout
      if decided[layout.version - 1]?.lists != layout.predecessors {
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
