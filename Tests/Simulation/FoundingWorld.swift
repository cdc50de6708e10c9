import KVCluster
import KVCore

/// The round about the first layout alone: hosts whose files differ propose one at random, messages come in any order, get
/// lost and are repeated, hosts start anew, and one loses its disk. At most one first layout may ever be decided.
final class FoundingWorld {
  private enum Message {
    case prepare(round: Int)
    case accept(round: Int, Layout)
    case answer(round: Int, LayoutAnswer, from: DiskID)
    case learn(Layout)
  }

  private struct Proposer {
    let ballot: Ballot
    let host: Int
    let boot: Int
    let targets: [Int]
    var round: FoundingRound
  }

  private static let hostCount = 5
  private static let stepCount = 300

  private var random: Randomness
  private let rules: LayoutRules
  private var disks = (0..<hostCount).map { DiskID(high: 0, low: UInt64($0)) }
  private var acceptors = (0..<hostCount).map { _ in LayoutAcceptor(.init(), horizon: 0) }
  private var boots = Array(repeating: 0, count: hostCount)
  private var counters = Array(repeating: UInt64(1), count: hostCount)
  private var proposers: [Proposer] = []
  private var bag: [(target: Int, message: Message)] = []
  private var decided: Layout?
  private var hasLostDisk = false
  private var problem: String?
  private(set) var counts = Counts()

  init(seed: UInt64, rules: LayoutRules) {
    random = Randomness(seed: seed)
    self.rules = rules
  }

  func run() -> String? {
    for _ in 0..<Self.stepCount where problem == nil {
      switch random.below(30) {
      case 0, 1: propose(at: random.below(Self.hostCount))
      case 2 where random.chance(0.3): restart(random.below(Self.hostCount))
      case 3 where !hasLostDisk && random.chance(0.2): loseDisk(of: random.below(Self.hostCount))
      default: deliver()
      }
    }
    return problem
  }

  private func restart(_ host: Int) {
    counts[.kills] += 1
    boots[host] += 1
    acceptors[host] = LayoutAcceptor(acceptors[host].record, horizon: counters[host])
  }

  private func loseDisk(of host: Int) {
    counts[.lostDisks] += 1
    hasLostDisk = true
    boots[host] += 1
    counters[host] = 1
    disks[host] = DiskID(high: 1, low: UInt64(host))
    acceptors[host] = LayoutAcceptor(.init(), horizon: 0)
  }

  /// Any two lists have two hosts in common, of which one keeps its disk.
  private func propose(at host: Int) {
    guard acceptors[host].record.known == nil else { return }
    var targets = [0, 1] + (2..<Self.hostCount).filter { _ in random.chance(0.5) }
    random.shuffle(&targets)
    counters[host] += UInt64(random.pick([1, 1, 5]))
    let number = UInt16(Int(disks[host].high) * Self.hostCount + host + 1)
    let ballot = Ballot(counter: counters[host], member: Member(number))
    let list = MemberList(
      targets.enumerated().map { index, target in
        LayoutMember(member: Member(UInt16(index + 1)), name: String(target), disk: disks[target])
      }, copies: 3)
    let cluster = ClusterID(high: ballot.counter, low: UInt64(number))
    let round = FoundingRound(
      at: ballot, for: Layout(first: list, of: cluster, proposal: ballot), askedOf: targets.map { disks[$0] },
      rules: rules)
    proposers.append(Proposer(ballot: ballot, host: host, boot: boots[host], targets: targets, round: round))
    for target in targets { bag.append((target, .prepare(round: proposers.count - 1))) }
  }

  private func deliver() {
    guard !bag.isEmpty else { return propose(at: random.below(Self.hostCount)) }
    let place = random.below(bag.count)
    let (target, message) = bag[place]
    if random.chance(0.9) { bag.remove(at: place) } else { counts[.doubledMessages] += 1 }
    if random.chance(0.05) { return counts[.lostMessages] += 1 }
    switch message {
    case .prepare(let round):
      counters[target] = max(counters[target], proposers[round].ballot.counter)
      answer(acceptors[target].prepare(proposers[round].ballot), to: round, from: target)
    case .accept(let round, let layout):
      if let known = acceptors[target].record.known, known.cluster != layout.cluster { return }
      counters[target] = max(counters[target], proposers[round].ballot.counter)
      answer(acceptors[target].accept(proposers[round].ballot, layout), to: round, from: target)
    case .answer(let round, let answer, let disk):
      if boots[target] == proposers[round].boot { take(answer, disk, round) }
    case .learn(let layout): _ = acceptors[target].learn(layout)
    }
  }

  private func answer(_ answer: LayoutAnswer, to round: Int, from host: Int) {
    bag.append((proposers[round].host, .answer(round: round, answer, from: disks[host])))
  }

  private func take(_ answer: LayoutAnswer, _ disk: DiskID, _ round: Int) {
    for effect in proposers[round].round.step(.answer(answer, from: disk)) {
      switch effect {
      case .accept(let layout):
        for target in proposers[round].targets { bag.append((target, .accept(round: round, layout))) }
      case .decided(let layout):
        if let decided, decided != layout { problem = "two first layouts are decided" }
        decided = layout
        counts[.foundings] += 1
        for host in 0..<Self.hostCount where random.chance(0.5) { bag.append((host, .learn(layout))) }
      case .failed(let above):
        counters[proposers[round].host] = max(counters[proposers[round].host], above.counter)
      }
    }
  }
}
