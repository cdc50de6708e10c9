import KVCluster
import KVCore
import KVLinux
import KVStore

/// Brings the groups that move to this node up to what their present owners hold, key by key.
struct GroupMover: Sendable {
  private static let pace = Duration.milliseconds(20)
  private static let idlePace = Duration.milliseconds(200)
  /// How many groups come at a time, so that one is asked about while the values of another come, and how many values of
  /// each: small ones wait for the disk most of the time, and it makes several durable at once.
  private static let groupWidth = 2
  private static let width = 4

  let layouts: Layouts
  let keys: KeyMover
  let desk: MessageDesk
  let network: IOExecutor
  private let claims = GroupClaims()

  init(layouts: Layouts, keys: KeyMover, desk: MessageDesk, network: IOExecutor) {
    (self.layouts, self.keys, self.desk, self.network) = (layouts, keys, desk, network)
  }

  /// Goes on until the task is cancelled.
  func run() async {
    await withDiscardingTaskGroup { tasks in
      for _ in 0..<Self.groupWidth { tasks.addTask(executorPreference: network) { await bringGroups() } }
    }
  }

  /// Brings one group after another, of those that move by the layout of the moment: a large value in one of them does not
  /// keep the nodes from letting further ones move.
  private func bringGroups() async {
    var hasNews = false
    while !Task.isCancelled {
      if let layout = layouts.known, layout.next != nil, let member = layouts.current.value.topology.ownMember,
        let goal = claims.take(from: goals(layout), at: .now)
      {
        let attempt = await attempt(goal, member, layout)
        claims.finish(goal, attempt, at: .now)
        hasNews = hasNews || attempt == .arrived
      } else {
        // Whoever decides what follows need not wait until everybody is told anyway.
        if hasNews { await desk.exchangeWithAll(layouts.current.value) }
        hasNews = false
        let pause = layouts.known?.next == nil ? Self.idlePace : Self.pace
        guard await IOExecutor.current.wait(until: .after(pause)) == .timedOut else { return }
      }
    }
  }

  /// What moves and has not arrived here.
  private func goals(_ layout: Layout) -> [SyncedGroup] {
    layout.groups.indices.filter { layout.groups[$0].phase == .moving }
      .map { SyncedGroup(group: UInt8($0), epoch: layout.groups[$0].epoch) }
      .filter { !layouts.isSynced($0) }
  }

  private func attempt(_ goal: SyncedGroup, _ member: Member, _ layout: Layout) async -> GroupClaims.Attempt {
    let group = Int(goal.group)
    do throws(MoveObstacle) {
      try await bring(group, to: member, layout)
      layouts.synced(goal)
      layouts.note(trouble: nil, group: group)
      return .arrived
    } catch {
      guard let text = error.text else { return .passing }
      if layouts.known?.version == layout.version { layouts.note(trouble: text, group: group) }
      return .obstructed
    }
  }

  /// Finds out what the present owners have decided, and takes that over. The floors of what they may have forgotten stay
  /// theirs: who becomes an owner begins with nothing, under an epoch of which nothing that was asked earlier is a part, so
  /// that no ACCEPT or LEARN from before a deletion that they have forgotten reaches it. What can reach it was asked under
  /// this epoch, of owners who hold the deletion still, or whose floor is above it.
  private func bring(_ group: Int, to member: Member, _ layout: Layout) async throws(MoveObstacle) {
    var survey = GroupSurvey(of: group, for: member, layout) { $0.slot }
    var isOutdated = false
    while true {
      switch survey.next() {
      case .ask(let questions):
        for (source, answer) in await ask(questions, of: group, for: member, layout) {
          switch answer {
          case .held(let page, let isLast)?: survey.take(page, isLast: isLast, from: source)
          case .otherLayout?:
            isOutdated = true
            survey.fall(silent: source)
          default: survey.fall(silent: source)
          }
        }
      case .take(let findings): try await take(findings, layout)
      // Who goes by another layout soon goes by this one, or this node by that.
      case .stuck where isOutdated: throw MoveObstacle(text: nil)
      case .stuck(let silent): throw MoveObstacle(text: "no word of what they have from \(names(silent, layout))")
      case .finished: return
      }
    }
  }

  private func names(_ members: [Member], _ layout: Layout) -> String {
    layout.members.filter { members.contains($0.member) }.map(\.name).joined(separator: ", ")
  }

  /// Asks all of them at once.
  private func ask(
    _ questions: [GroupSurvey.Question], of group: Int, for member: Member, _ layout: Layout
  ) async -> [(source: Member, NodeAnswer?)] {
    let cluster = layouts.current.value
    return await withTaskGroup(of: (source: Member, NodeAnswer?).self) { tasks in
      for question in questions {
        let held = HeldQuestion(
          version: layout.version, epoch: layout.groups[group].epoch, group: UInt8(group), behind: question.behind,
          member: member, source: question.source)
        tasks.addTask(executorPreference: network) { (question.source, await answer(to: held, member, cluster)) }
      }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
  }

  private func answer(to question: HeldQuestion, _ member: Member, _ cluster: Cluster) async -> NodeAnswer? {
    if question.source == member { return await desk.take(.held(question)) }
    guard let peer = cluster.topology.peer(of: question.source) else { return nil }
    return await keys.calls.peers.ask(.held(question), of: peer, cluster)
  }

  /// Takes over some keys, a few at a time. Begins no more once one cannot be had.
  private func take(_ findings: [GroupSurvey.Finding], _ layout: Layout) async throws(MoveObstacle) {
    var rest = findings[...]
    let obstacle = await withTaskGroup(of: MoveObstacle?.self) { group in
      func begin() {
        guard let finding = rest.popFirst() else { return }
        group.addTask(executorPreference: network) {
          do throws(MoveObstacle) { try await keys.take(finding, layout) } catch { return error }
          return nil
        }
      }
      for _ in 0..<Self.width { begin() }
      var obstacle: MoveObstacle?
      for await failure in group {
        obstacle = obstacle ?? failure
        if obstacle == nil { begin() }
      }
      return obstacle
    }
    if let obstacle { throw obstacle }
  }
}
