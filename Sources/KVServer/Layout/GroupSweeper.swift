import KVCluster
import KVCore
import KVLinux
import KVStore

/// Removes what has become others' once they have it.
struct GroupSweeper: Sendable {
  private static let pace = Duration.milliseconds(500)
  /// How long after owners gave no answer they are asked again.
  private static let retryPause = Duration.seconds(10)

  /// What its owners say of a key that lies here.
  private enum Word {
    /// Most of them hold what lies here at that ballot, or something later.
    case taken(Ballot)
    case notTaken
    case silence
  }

  let layouts: Layouts
  let calls: RegisterCalls
  let disk: IOExecutor

  /// Goes on until the task is cancelled.
  func run() async {
    var pause = Self.pace
    while await IOExecutor.current.wait(until: .after(pause)) == .timedOut {
      pause = Self.pace
      guard let layout = layouts.known else { continue }
      for group in layouts.beginSweep().sorted() {
        let isPresent = !Task.isCancelled && layouts.known?.version == layout.version
        let isSwept = isPresent ? await sweep(group, layout) : false
        if isSwept { continue }
        layouts.sweepAgain(group)
        if isPresent { pause = Self.retryPause }
      }
      layouts.endSweep()
    }
  }

  /// False where it is to be done again.
  private func sweep(_ group: Int, _ layout: Layout) async -> Bool {
    let member = layouts.current.value.topology.ownMember
    let epoch = layout.groups[group].epoch
    let isCurrent: @Sendable () -> Bool = { layouts.epoch(of: group) == epoch }
    let isForeign: @Sendable (Slot) -> Bool = { slot in
      let view = layout.view(of: slot)
      return !view.isMoving && member.map { !view.hasVoter($0) } ?? true
    }
    let keys: [Key]
    do throws(SystemError) {
      keys = try await withTaskExecutorPreference(disk) { () async throws(SystemError) in
        try calls.store.keys(of: group, where: isForeign)
      }
    } catch {
      return true
    }
    if !layout.isShared(group) { await forgetDeletions(of: group, if: isCurrent) }
    var isWhole = true
    for key in keys {
      let word = await word(about: key, layout)
      if case .silence = word { isWhole = false }
      guard case .taken(let ballot) = word else { continue }
      await withTaskExecutorPreference(disk) {
        // What cannot be removed now is found again after the next change, or start.
        do throws(StoreError) { try await calls.store.remove(key, holding: ballot, if: isCurrent) } catch { return }
      }
    }
    return isWhole
  }

  /// A group that this node decides about alone needs no files that say what was deleted: nobody else votes about it, and
  /// whoever gets a say later begins with nothing.
  private func forgetDeletions(of group: Int, if isCurrent: @Sendable () -> Bool) async {
    await withTaskExecutorPreference(disk) {
      // What cannot be removed now is found again after the next change, or start.
      do throws(StoreError) { try await calls.store.forgetDeletions(of: group, if: isCurrent) } catch { return }
    }
  }

  /// What the key's owners say of what lies here. Only that most of them hold the same, or something later, with its
  /// bytes, says that this can go: what they do not know of was left behind by some other list, and is for a person to
  /// decide about.
  private func word(about key: Key, _ layout: Layout) async -> Word {
    let held: Held?
    do throws(StoreError) {
      held = try await withTaskExecutorPreference(disk) { () async throws(StoreError) in
        try await calls.store.held(key)
      }
    } catch {
      return .notTaken
    }
    guard let held else { return .notTaken }
    var taking = 0
    var silent = 0
    let owners = layout.view(of: key.slot).owners
    // From who is given up no word will come.
    for owner in owners where !layout.lost.contains(owner) {
      switch await calls.ask(.read, key, of: owner, layout, source: nil) {
      case .answer(.holds(let testimony), _):
        if let theirs = testimony.held, theirs.hasBytes, Self.isTaken(held, by: theirs) { taking += 1 }
      default: silent += 1
      }
      if 2 * taking > owners.count { return .taken(held.ballot) }
    }
    return 2 * (taking + silent) > owners.count ? .silence : .notTaken
  }

  /// Where a round about what was there already has come to nobody but this node, the others hold it at an earlier ballot:
  /// the bytes are the same.
  private static func isTaken(_ held: Held, by theirs: Held) -> Bool {
    theirs.ballot >= held.ballot
      || theirs.descriptor.upload == held.descriptor.upload && theirs.descriptor.checksum == held.descriptor.checksum
  }
}
