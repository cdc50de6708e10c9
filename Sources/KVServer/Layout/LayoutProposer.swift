import KVCluster
import KVCore
import KVLinux
import KVStore

/// Has the nodes decide what should follow the layout, where it is this node's turn.
struct LayoutProposer: Sendable {
  private static let idlePace = Duration.milliseconds(200)
  private static let pace = Duration.milliseconds(20)
  private static let answerTimeout = Duration.seconds(5)

  let layouts: Layouts
  let store: Store
  let peers: Peers
  let desk: MessageDesk
  let disk: IOExecutor
  let network: IOExecutor

  /// Goes on until the task is cancelled.
  func run() async {
    var highest = Ballot.none
    var isPassedOver = false
    repeat {
      if case .putBack(let remembered)? = layouts.doubt {
        if !isPassedOver || store.votes.begunAbove < remembered.used { isPassedOver = await passOver(remembered) }
        if isPassedOver { highest = max(highest, await renew(after: remembered, above: highest)) }
        continue
      }
      isPassedOver = false
      guard layouts.mayVote else { continue }
      let plan = layouts.plan
      if let known = layouts.known {
        guard plan.isProposer, plan.following(known, .none) != nil else { continue }
        highest = max(highest, await decide(known, above: highest))
      } else if let list = plan.founding {
        highest = max(highest, await found(list, above: highest))
      }
    } while await IOExecutor.current.wait(until: .after(pause)) == .timedOut
  }

  private var pause: Duration { layouts.known?.next == nil ? Self.idlePace : Self.pace }

  private static let orderTimeout = Duration.seconds(20)

  /// Has the nodes decide what an administrator orders, whether or not it is this node's turn. False where too few of them
  /// agree in time.
  func carryOut(_ order: LayoutOrder) async -> Bool {
    let deadline = Instant.after(Self.orderTimeout)
    var highest = Ballot.none
    while let known = layouts.known, order.following(known, .none) != nil {
      guard Instant.now < deadline,
        await IOExecutor.current.wait(until: .after(.milliseconds(Int.random(in: 1...50)))) == .timedOut
      else { return false }
      highest = max(
        highest,
        await decide(known, above: highest, without: order.lost) { layout, ballot in order.following(layout, ballot) })
    }
    return true
  }

  private func decide(_ known: Layout, above highest: Ballot) async -> Ballot {
    await decide(known, above: highest, without: []) { layout, ballot in layouts.plan.following(layout, ballot) }
  }

  /// Returns the highest ballot that is known of.
  private func decide(
    _ known: Layout, above highest: Ballot, without lost: Set<Member>,
    _ following: @escaping @Sendable (Layout, Ballot) -> Layout?
  ) async -> Ballot {
    guard let ballot = await store.votes.ballot(above: highest, on: disk) else { return highest }
    var round = LayoutRound(at: ballot, from: known, without: lost, propose: following)
    return await carry(ballot, { _ in round.start() }, { round.step($0) }) { effect, group in
      switch effect {
      case .prepare(let members): ask(.prepareLayout(ballot), members.map(\.name), to: &group)
      case .accept(let layout, let members): ask(.acceptLayout(ballot, layout), members.map(\.name), to: &group)
      case .decided(let layout):
        await tell(layout)
        return ballot
      case .settled: return ballot
      case .failed(let above): return max(above, ballot)
      }
      return nil
    }
  }

  private func found(_ list: MemberList, above highest: Ballot) async -> Ballot {
    let hosts = layouts.plan.foundingHosts
    guard let ballot = await store.votes.ballot(above: highest, on: disk), !hosts.isEmpty else { return highest }
    let cluster = ClusterID(high: .random(in: 1...(.max)), low: .random(in: 0...(.max)))
    let layout = Layout(first: list, of: cluster, proposal: ballot)
    var round = FoundingRound(at: ballot, for: layout, askedOf: hosts.map(\.disk))
    return await carry(
      ballot,
      { group in
        ask(.prepareLayout(ballot), hosts.map(\.name), to: &group)
        return []
      }, { round.step($0) }
    ) { effect, group in
      switch effect {
      case .accept(let layout): ask(.acceptLayout(ballot, layout), hosts.map(\.name), to: &group)
      case .decided(let layout):
        await tell(layout)
        return ballot
      case .failed(let above): return max(above, ballot)
      }
      return nil
    }
  }

  /// Carries a round at a ballot to its end: does what it says, which may ask others, and tells it what they answer.
  /// Returns the highest ballot that is known of, which is what `perform` returns at the end.
  func carry<Effect>(
    _ ballot: Ballot, _ begin: (inout TaskGroup<LayoutRound.Event>) -> [Effect],
    _ step: (LayoutRound.Event) -> [Effect],
    _ perform: (Effect, inout TaskGroup<LayoutRound.Event>) async -> Ballot?
  ) async -> Ballot {
    await withTaskGroup(of: LayoutRound.Event.self) { group in
      defer { group.cancelAll() }
      addTimeout(to: &group)
      var effects = begin(&group)
      while true {
        guard !effects.isEmpty else {
          guard let event = await group.next() else { return ballot }
          effects = step(event)
          continue
        }
        if let highest = await perform(effects.removeFirst(), &group) { return highest }
      }
    }
  }

  private func addTimeout(to group: inout TaskGroup<LayoutRound.Event>) {
    group.addTask(executorPreference: network) {
      _ = await IOExecutor.current.wait(until: .after(Self.answerTimeout))
      return .timedOut
    }
  }

  func ask(_ question: NodeQuestion, _ names: [String], to group: inout TaskGroup<LayoutRound.Event>) {
    let cluster = layouts.current.value
    for name in names {
      group.addTask(executorPreference: network) {
        // Whoever has not been heard of may have to be told first that it has gone back.
        if name != cluster.configuration.nodeName, !layouts.heard.lately().contains(where: { $0.name == name }) {
          await desk.catchUp(with: name, cluster)
        }
        // What a disk says that has forgotten votes, and may not know it yet, does not count.
        guard case .layout(let answer, let disk)? = await answer(to: question, of: name, cluster),
          !layouts.heard.hasForgotten(disk)
        else { return await Self.silence() }
        return .answer(answer, from: disk)
      }
    }
  }

  /// Who does not answer is waited for as long as the rest: the others may be enough.
  private static func silence() async -> LayoutRound.Event {
    _ = await IOExecutor.current.wait(until: .after(answerTimeout))
    return .timedOut
  }

  private func answer(to question: NodeQuestion, of name: String, _ cluster: Cluster) async -> NodeAnswer? {
    if name == cluster.configuration.nodeName { return await desk.take(question) }
    guard let peer = cluster.topology.peer(named: name) else { return nil }
    return await peers.ask(question, of: peer, cluster)
  }

  /// Everybody is told at once; who is not reached hears of it later.
  private func tell(_ layout: Layout) async {
    _ = await desk.take(.learnLayout(layout))
    let cluster = layouts.current.value
    await withDiscardingTaskGroup { group in
      for peer in cluster.topology.otherPeers {
        group.addTask(executorPreference: network) { _ = await peers.ask(.learnLayout(layout), of: peer, cluster) }
      }
    }
  }
}
