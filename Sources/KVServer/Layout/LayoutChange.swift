import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import Logging
import Synchronization

/// Going by what was decided. On the disk threads.
extension Layouts {
  /// Goes by a layout that was decided, if it is newer. What was missed under the present one is put aside before.
  func learn(_ layout: Layout) {
    changing.withLock { _ in
      var (acceptor, before) = state.withLock { ($0.acceptor, $0.file.record) }
      guard before.known.map({ $0.cluster == layout.cluster }) ?? isWished(layout), acceptor.learn(layout) else {
        return
      }
      guard setAsideMissed(layout, since: before), let file = write(acceptor) else { return }
      go(by: layout, file, acceptor)
      log(layout, since: before.known)
    }
  }

  /// Whether this host's own list names one of the layout's: a cluster that lists it by mistake must not get hold of it.
  private func isWished(_ layout: Layout) -> Bool {
    let names = current.value.configuration.peers.map(\.name)
    return layout.members.contains { names.contains($0.name) }
  }

  /// Takes note of them. Their list may be another at the next start.
  func noteCompanions() {
    changing.withLock { _ in
      let new = newCompanions
      guard !new.isEmpty else { return }
      let (acceptor, before) = state.withLock { state in
        defer { state.companions.remember(new) }
        return (state.acceptor, state.companions)
      }
      let file = write(acceptor)
      state.withLock { state in
        // What is not written is tried again.
        if let file { state.file = file } else { state.companions = before }
      }
    }
  }

  /// A new configuration may have new addresses.
  func reloaded() {
    changing.withLock { _ in
      let acceptor = state.withLock { $0.acceptor }
      guard let known, let file = write(acceptor) else { return }
      go(by: known, file, acceptor)
    }
  }

  private func setAsideMissed(_ layout: Layout, since record: LayoutAcceptor.Record) -> Bool {
    guard let member = layout.member(of: ownDisk) else { return true }
    // Whoever agreed to the first layout was there from the beginning.
    let earlier = record.known ?? record.layout.flatMap { $0.version == 1 && $0.cluster == layout.cluster ? $0 : nil }
    if layout.version == 1 { return true }
    for group in 0..<Layout.groupCount {
      if let earlier, earlier.groups[group] == layout.groups[group] { continue }
      let missed = LayoutPlan.slots(of: group).filter { slot in
        guard layout.view(of: slot).hasVoter(member) else { return false }
        return earlier.map { !layout.keeps(slot, at: member, since: $0) } ?? true
      }
      if missed.isEmpty { continue }
      do throws(SystemError) {
        let count = try store.setAside(group: group, where: Set(missed).contains)
        guard count > 0 else { continue }
        logger.warning("values that others had the say about were put aside", metadata: ["values": "\(count)"])
        store.index.markStale()
      } catch {
        logger.error("the new layout cannot be gone by yet: what was missed cannot be put aside: \(error)")
        return false
      }
    }
    return true
  }

  /// Goes by a layout that is on the disk. First nothing new is done alone that others have a say about by it; then what
  /// is asked under the one before is refused; and when nothing of that is under way any more, others are answered by it.
  func go(by layout: Layout, _ file: LayoutFile.Contents, _ acceptor: LayoutAcceptor) {
    store.votes.become(layout.member(of: ownDisk) ?? Member(0))
    // Whoever is given up stores nothing alone any more.
    let isLost = layout.member(of: ownDisk).map(layout.lost.contains) ?? false
    store.set(
      layout.groups.indices.map { group in
        Say(epoch: layout.groups[group].epoch, isShared: isLost || layout.isShared(group))
      })
    current.take(layout, disk: ownDisk, known: file.addresses)
    state.withLock { state in
      (state.acceptor, state.file) = (acceptor, file)
      state.troubles = state.troubles.filter { layout.groups[$0.key].phase == .moving }
      if state.estimate?.isAbout(layout) != true { state.estimate = MoveEstimate(layout, at: .now) }
      state.synced = state.synced.filter { layout.groups[Int($0.group)].epoch == $0.epoch }
      state.unswept.formUnion(layout.groups.indices.filter { layout.groups[$0].phase == .new })
      if layout.next == nil { state.unswept = Set(0..<Layout.groupCount) }
    }
    store.passCommits()
    state.withLock { $0.answering = layout }
  }

  private func log(_ layout: Layout, since earlier: Layout?) {
    let lost = layout.members.filter { layout.lost.contains($0.member) }.map(\.name)
    if !lost.isEmpty, layout.lost != earlier?.lost {
      logger.warning(
        "hosts are given up, with what only they stored", metadata: ["hosts": "\(lost.joined(separator: " "))"])
    }
    guard earlier?.lists != layout.lists else { return }
    logger.notice(
      "a layout is in force",
      metadata: [
        "version": "\(layout.version)", "hosts": "\(layout.current.members.map(\.name).joined(separator: " "))",
        "changing_to": "\(layout.next?.members.map(\.name).joined(separator: " ") ?? "-")",
      ])
  }
}
