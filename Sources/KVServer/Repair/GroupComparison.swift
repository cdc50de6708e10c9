import KVCluster
import KVCore
import KVLinux
import KVStore

/// Compares what this node holds with what the other owners hold, group by group, and repairs the keys of which it holds less.
/// The others do the same, so that whatever differs is seen by whoever lacks something.
struct GroupComparison: Sendable {
  /// How many keys are repaired at a time.
  private static let width = 4
  /// How long a group's owners are let alone at least after it was compared, and how much of the time is for others.
  private static let pause = Duration.milliseconds(2)
  private static let servingPart = 3
  /// How often a group's deletions are listed anew because there are more.
  private static let listingsMax = 1000

  let layouts: Layouts
  let repair: KeyRepair
  let record: RepairRecord
  let metrics: Metrics
  let disk: IOExecutor
  let network: IOExecutor

  /// What came of one pass.
  struct Summary: Equatable, Sendable {
    var repaired = 0
    var forgotten = 0
    /// Keys that are left to be looked at again.
    var left = 0
    /// Owners that were not asked, as they are silent.
    var leftOut: Set<Member> = []
    /// Whether an owner could not be asked, though it is not known to be silent, or the layout was changing.
    var isCutShort = false
  }

  /// Goes through all groups, with these members alone or with all.
  func pass(with wanted: Set<Member>?) async -> Summary {
    let before = record.counts
    var summary = Summary()
    defer { record.progress = nil }
    for group in 0..<Layout.groupCount {
      guard !Task.isCancelled, let layout = layouts.known, let own = layouts.current.value.topology.ownMember else {
        break
      }
      let began = Instant.now
      record.progress = "comparing copies: \(group) of \(Layout.groupCount) groups"
      guard layout.isShared(group) else { continue }
      guard layout.groups[group].phase != .moving else {
        summary.isCutShort = true
        continue
      }
      let views = LayoutPlan.slots(of: group).map { layout.view(of: $0) }
      for (partner, slots) in Self.partners(own, views) {
        guard wanted?.contains(partner) ?? true, !layout.lost.contains(partner) else { continue }
        guard !layouts.isSilent(partner) else {
          summary.leftOut.insert(partner)
          continue
        }
        await compare(group, slots, with: partner, layout, &summary)
      }
      await forgetDeletions(of: group, own, views, layout, &summary)
      await rest(after: Instant.now.since(began))
    }
    let counts = record.counts
    (summary.repaired, summary.forgotten) = (counts.mended - before.mended, counts.forgotten - before.forgotten)
    record.countPass()
    return summary
  }

  /// Clients go first.
  private func rest(after work: Duration) async {
    let share = metrics.foregroundCount > 0 ? work * Self.servingPart : .zero
    _ = await IOExecutor.current.wait(until: .after(max(Self.pause, min(share, .seconds(10)))))
  }

  /// Who owns slots of a group that this node owns too, and which.
  private static func partners(_ own: Member, _ views: [View]) -> [(Member, SlotSet)] {
    var partners: [Member: SlotSet] = [:]
    for (place, view) in views.enumerated() where view.owners.contains(own) {
      for owner in view.owners where owner != own { partners[owner, default: SlotSet()].insert(place) }
    }
    return partners.sorted { $0.key < $1.key }
  }

  private func compare(
    _ group: Int, _ slots: SlotSet, with partner: Member, _ layout: Layout, _ summary: inout Summary
  ) async {
    guard let contents = await contents(of: group) else {
      summary.isCutShort = true
      return
    }
    let question = GroupQuestion(
      version: layout.version, epoch: layout.groups[group].epoch, group: UInt8(group), member: partner)
    guard case .digests(let digest)? = await ask(.digests(question), partner) else {
      summary.isCutShort = true
      return
    }
    let differing = contents.digest.differing(from: digest, among: slots)
    if differing.isEmpty { return }
    var behind: Key?
    while !Task.isCancelled {
      guard case .states(let page, let isLast)? = await ask(.states(question, differing, behind: behind), partner)
      else {
        summary.isCutShort = true
        return
      }
      summary.left += await mend(await lacking(page), layout)
      guard !isLast, let last = page.last else { return }
      // A page that does not go on is no page of the protocol, and would be asked for again and again.
      guard behind.map({ $0.bytes.lexicographicallyPrecedes(last.key.bytes) }) ?? true else { return }
      behind = last.key
    }
  }

  private func ask(_ question: NodeQuestion, _ partner: Member) async -> NodeAnswer? {
    let cluster = layouts.current.value
    guard let peer = cluster.topology.peer(of: partner) else { return nil }
    return await repair.runner.calls.peers.ask(question, of: peer, cluster)
  }

  private func contents(of group: Int) async -> GroupSummary? {
    do throws(StoreError) {
      return try await withTaskExecutorPreference(disk) { () async throws(StoreError) in
        try await repair.runner.store.summary(of: group)
      }
    } catch {
      // The store's health tells why.
      return nil
    }
  }

  /// Those of the keys of which this node holds less.
  private func lacking(_ page: [KeyState]) async -> [Key] {
    await withTaskExecutorPreference(disk) {
      var keys: [Key] = []
      for state in page {
        // What cannot be read here is looked at too: the repair says what is the matter with it.
        do throws(StoreError) {
          if state.isAhead(of: try await repair.runner.store.held(state.key)) { keys.append(state.key) }
        } catch { keys.append(state.key) }
      }
      return keys
    }
  }

  /// Repairs keys, a few at a time; how many are left for later.
  private func mend(_ keys: [Key], _ layout: Layout) async -> Int {
    await keys.forEachOf(Self.width, on: network) { key in
      let outcome = await repair.repair(key, layout)
      return record.leave(key, outcome) ? 1 : 0
    }.reduce(0, +)
  }

  /// Forgets what was deleted long enough ago, where this node is the first owner that answers.
  private func forgetDeletions(
    of group: Int, _ own: Member, _ views: [View], _ layout: Layout, _ summary: inout Summary
  ) async {
    for _ in 0..<Self.listingsMax {
      guard let contents = await contents(of: group), !contents.deletions.isEmpty else { return }
      let due = contents.deletions.filter { key in
        let owners = views[key.slot.number % GroupDigest.slotCount].owners
        return owners.first == own && !owners.contains { layouts.isSilent($0) }
      }
      let left = await mend(due, layout)
      summary.left += left
      guard left < due.count, contents.isFull else { return }
    }
  }
}

extension Array where Element: Sendable {
  /// Calls the body for each, so many at a time.
  func forEachOf<Result: Sendable>(
    _ width: Int, on threads: IOExecutor, _ body: @escaping @Sendable (Element) async -> Result
  ) async -> [Result] {
    var rest = self[...]
    return await withTaskGroup(of: Result.self) { group in
      func begin() {
        guard !Task.isCancelled, let element = rest.popFirst() else { return }
        group.addTask(executorPreference: threads) { await body(element) }
      }
      for _ in 0..<width { begin() }
      var results: [Result] = []
      for await result in group {
        results.append(result)
        begin()
      }
      return results
    }
  }
}

extension Layouts {
  /// Whether a member gave no answer when all were asked last.
  func isSilent(_ member: Member) -> Bool {
    guard let peer = current.value.topology.peer(of: member) else { return true }
    return peer.name != current.value.configuration.nodeName && silent.contains(peer.name)
  }
}
