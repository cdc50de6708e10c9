import KVCluster
import KVCore
import KVLinux
import KVStore

/// Removes what has become others' once they have it.
struct GroupSweeper: Sendable {
  private static let pace = Duration.milliseconds(500)
  /// How long after an owner gave no answer it is asked again.
  private static let retryPause = Duration.seconds(10)

  /// What an owner says of a key that lies here.
  private enum Word {
    /// It holds what lies here at that ballot, or something later.
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

  /// What the key's owner says of what lies here. Only that it holds the same, or something later, says that this can go:
  /// what an owner does not know of was left behind by some other list, and is for a person to decide about.
  private func word(about key: Key, _ layout: Layout) async -> Word {
    let held: Held?
    do throws(StoreError) {
      held = try await withTaskExecutorPreference(disk) { () async throws(StoreError) in
        try await calls.store.held(key)
      }
    } catch {
      return .notTaken
    }
    guard let held, let owner = layout.view(of: key.slot).owners.first else { return .notTaken }
    // From who is given up no word will come.
    guard !layout.lost.contains(owner) else { return .notTaken }
    guard case .answer(.holds(let testimony), _) = await calls.ask(.read, key, of: owner, layout, source: nil) else {
      return .silence
    }
    let isTaken = testimony.held.map { $0.ballot >= held.ballot && $0.hasBytes } ?? false
    return isTaken ? .taken(held.ballot) : .notTaken
  }
}
