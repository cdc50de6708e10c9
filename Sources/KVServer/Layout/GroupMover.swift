import KVCluster
import KVCore
import KVLinux
import KVStore

/// Brings the groups that move to this node up to what their present owner holds, key by key.
struct GroupMover: Sendable {
  private static let pace = Duration.milliseconds(20)
  private static let idlePace = Duration.milliseconds(200)
  private static let retryPause = Duration.seconds(1)
  /// How many values come at a time: small ones wait for the disk most of the time, and it makes several durable at once.
  private static let width = 8

  let layouts: Layouts
  let calls: RegisterCalls
  let pace: MovePace
  let metrics: Metrics
  let runner: RoundRunner
  let desk: MessageDesk
  let network: IOExecutor

  /// Why a group is not here yet.
  private struct Obstacle: Error {
    /// Nil where it passes by itself.
    let text: String?
  }

  /// Goes on until the task is cancelled.
  func run() async {
    var pause = Self.idlePace
    while await IOExecutor.current.wait(until: .after(pause)) == .timedOut {
      pause = Self.idlePace
      guard let layout = layouts.known, layout.next != nil,
        let member = layouts.current.value.topology.ownMember
      else { continue }
      pause = Self.pace
      var hasNews = false
      for group in layout.groups.indices where layout.groups[group].phase == .moving {
        let goal = SyncedGroup(group: UInt8(group), epoch: layout.groups[group].epoch)
        guard !layouts.isSynced(goal) else { continue }
        do throws(Obstacle) {
          try await bring(group, to: member, layout)
          layouts.synced(goal)
          layouts.note(trouble: nil, group: group)
          hasNews = true
        } catch {
          if let text = error.text, layouts.known?.version == layout.version {
            layouts.note(trouble: text, group: group)
          }
          pause = Self.retryPause
        }
      }
      // Whoever decides what follows need not wait until everybody is told anyway.
      if hasNews { await desk.exchangeWithAll(layouts.current.value) }
    }
  }

  private func bring(_ group: Int, to member: Member, _ layout: Layout) async throws(Obstacle) {
    guard layout.current.copies == 1, layout.next?.copies == 1 else {
      throw Obstacle(text: "a later version has decided on several copies of each value")
    }
    // What was on a disk that is given up nobody waits for.
    for source in sources(of: group, for: member, layout) where !layout.lost.contains(source) {
      try await bring(group, from: source, to: member, layout)
    }
  }

  private func bring(
    _ group: Int, from source: Member, to member: Member, _ layout: Layout
  ) async throws(Obstacle) {
    var behind: Key?
    while true {
      let (page, isLast) = try await page(of: group, behind: behind, from: source, member, layout)
      try await take(page, from: source, layout)
      guard !isLast, let last = page.last else { break }
      behind = last.key
    }
  }

  /// Who has what this node is to own. With one copy of each value that is one node a slot, and what it holds is decided.
  private func sources(of group: Int, for member: Member, _ layout: Layout) -> [Member] {
    var sources: [Member] = []
    for slot in LayoutPlan.slots(of: group) {
      let view = layout.view(of: slot)
      guard view.nextOwners?.contains(member) == true, !view.owners.contains(member) else { continue }
      for owner in view.owners where !sources.contains(owner) { sources.append(owner) }
    }
    return sources
  }

  private func page(
    of group: Int, behind: Key?, from source: Member, _ member: Member, _ layout: Layout
  ) async throws(Obstacle) -> (page: [HeldKey], isLast: Bool) {
    let cluster = layouts.current.value
    guard let peer = cluster.topology.peer(of: source) else {
      throw Obstacle(text: "the address of member \(source.number) is not known")
    }
    let question = HeldQuestion(
      version: layout.version, epoch: layout.groups[group].epoch, group: UInt8(group), behind: behind, member: member,
      source: source)
    switch await calls.peers.ask(.held(question), of: peer, cluster) {
    case .held(let page, let isLast)?: return (page, isLast)
    case .otherLayout?: throw Obstacle(text: nil)
    default: throw Obstacle(text: "\(peer.name) does not say what it has")
    }
  }

  private func checkSpace(for held: HeldKey) throws(Obstacle) {
    do throws(StoreError) { try calls.store.checkSpace(for: held.descriptor.valueBytes) } catch {
      throw Obstacle(text: error.reason)
    }
  }

  /// Takes over some keys, a few at a time. Begins no more once one cannot be had.
  private func take(_ page: [HeldKey], from source: Member, _ layout: Layout) async throws(Obstacle) {
    var rest = page[...]
    let obstacle = await withTaskGroup(of: Obstacle?.self) { group in
      func begin() {
        guard let held = rest.popFirst() else { return }
        group.addTask(executorPreference: network) {
          do throws(Obstacle) { try await take(held, from: source, layout) } catch { return error }
          return nil
        }
      }
      for _ in 0..<Self.width { begin() }
      var obstacle: Obstacle?
      for await failure in group {
        obstacle = obstacle ?? failure
        if obstacle == nil { begin() }
      }
      return obstacle
    }
    if let obstacle { throw obstacle }
  }

  /// Has the disk here learn what is decided; its bytes come from the source, and before: whoever wants to write the key
  /// meanwhile does not wait for them.
  private func take(_ held: HeldKey, from source: Member, _ layout: Layout) async throws(Obstacle) {
    let arrived = await calls.bring(held, from: source, pace)
    defer { calls.store.dropUpload(held.descriptor.upload, of: held.key) }
    let question = RegisterQuestion(
      version: layout.version, epoch: layout.groups[held.key.slot.group].epoch, key: held.key,
      request: .learn(held.ballot, held.descriptor), source: arrived == .missing ? nil : source)
    switch await calls.take(question) {
    case .register(.done, _):
      if arrived == .fetched { metrics.countMovedValue() }
    case .register(.outbid, _), .register(.lacksBytes, _):
      try checkSpace(for: held)
      // It was written meanwhile, or so much was forgotten here that only a round can tell.
      switch await runner.run(.certainty, held.key, layout).outcome {
      case .chosen: return metrics.countMovedValue()
      default: throw Obstacle(text: "the bytes of '\(held.key)' are not to be had")
      }
    case .register: throw Obstacle(text: "this node's store does not take '\(held.key)'")
    default: throw Obstacle(text: nil)
    }
  }
}
