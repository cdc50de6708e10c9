import KVCluster
import KVCore
import KVLinux
import KVStore

/// What is done where this host's data directory was put back to an earlier state, so that its votes are older than its word.
extension LayoutProposer {
  /// Takes part in nothing any more that the disk may have promised before.
  func passOver(_ remembered: DiskHistory) async -> Bool {
    await withTaskExecutorPreference(disk) { () async in
      do throws(SystemError) {
        try store.votes.passOver(remembered)
        return true
      } catch {
        return false
      }
    }
  }

  /// Asks all others for what the disk may have forgotten, once. Returns the highest ballot that is known of.
  func renew(after remembered: DiskHistory, above highest: Ballot) async -> Ballot {
    let record = layouts.record
    // Whoever knows of no layout has nothing to vote about.
    guard let known = record.known, let ballot = await store.votes.ballot(above: highest, on: disk) else {
      return highest
    }
    var renewal = LayoutRenewal(
      at: ballot, of: layouts.hello.disk, known: [known] + [record.layout].compactMap { $0 == known ? nil : $0 })
    return await carry(ballot, { _ in renewal.start() }, { renewal.step($0) }) { effect, group in
      switch effect {
      case .prepare(let members): ask(.prepareLayout(ballot), members.map(\.name), to: &group)
      case .renewed(let accepted, let layout):
        await withTaskExecutorPreference(disk) { () async in
          layouts.renew(at: ballot, accepted: accepted, layout, after: remembered)
        }
        return ballot
      case .failed(let above): return max(above, ballot)
      }
      return nil
    }
  }
}
