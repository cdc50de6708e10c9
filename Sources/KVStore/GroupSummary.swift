import KVCluster
import KVCore
import KVLinux
import Synchronization

/// What a disk holds of a group, in short.
package struct GroupSummary: Sendable {
  /// How many deletions are named.
  static let deletionsMax = 1000

  package var digest = GroupDigest()
  /// Keys that were deleted, some of them if there are many.
  package var deletions: [Key] = []

  /// Whether there may be more of them.
  package var isFull: Bool { deletions.count >= Self.deletionsMax }
}

/// The summaries of groups that have not changed since.
final class GroupSummaries: Sendable {
  private struct Kept {
    let summary: GroupSummary
    let glimpse: StoreUsage.Glimpse
  }

  private let kept = Mutex<[Int: Kept]>([:])

  func summary(of group: Int, _ usage: StoreUsage) -> GroupSummary? {
    guard let kept = kept.withLock({ $0[group] }), usage.isUnchanged(shard: group, since: kept.glimpse) else {
      return nil
    }
    return kept.summary
  }

  func keep(_ summary: GroupSummary, of group: Int, since glimpse: StoreUsage.Glimpse) {
    kept.withLock { $0[group] = Kept(summary: summary, glimpse: glimpse) }
  }
}

/// What those need who compare what disks hold.
extension Store {
  /// What a group holds, in short. Its directory is gone through unless that was done since it changed last.
  package func summary(of group: Int) async throws(StoreError) -> GroupSummary {
    if let summary = summaries.summary(of: group, usage) { return summary }
    let glimpse = usage.glimpse(shard: group)
    var summary = GroupSummary()
    do throws(SystemError) {
      var walk = try Walk(values: layout.values, shard: ValuePath.shards[group])
      while let entry = walk.next() {
        switch entry {
        case .value(let key, let place, let name):
          let slot = key.slot
          guard slot.group == group, let file = try place.directory.openFile(name) else { continue }
          let held: Held?
          do throws(StoreError) { held = try await self.held(file) } catch {
            guard case .failed(let error) = error else { continue }
            throw error
          }
          guard let held else { continue }
          summary.digest.add(KeyState(key: key, ballot: held.ballot, hasBytes: held.hasBytes), slot)
          if held.descriptor.kind == .deletion, summary.deletions.count < GroupSummary.deletionsMax {
            summary.deletions.append(key)
          }
          if IOExecutor.turnIsOver { await IOExecutor.pause() }
        case .stray: continue
        // Without it the group would look as if it held less.
        case .unreadable(_, let error): throw error
        }
      }
    } catch {
      throw .failed(error)
    }
    summaries.keep(summary, of: group, since: glimpse)
    return summary
  }

  /// What a disk holds of the keys of some slots behind one, a page of them, and whether it is the last.
  package func states(
    of group: Int, in slots: SlotSet, behind last: Key?, limit: Int
  ) async throws(StoreError) -> (page: [KeyState], isLast: Bool) {
    var page: [KeyState] = []
    for key in try keys(of: group, behind: last, where: { slots.contains($0) }) {
      guard page.count < limit else { return (page, false) }
      guard let held = try await held(key) else { continue }
      page.append(KeyState(key: key, ballot: held.ballot, hasBytes: held.hasBytes))
    }
    return (page, true)
  }
}
