import KVCluster
import KVCore
import KVHTTP
import KVLinux
import Synchronization

/// How this disk votes about its keys, and what it must not forget of that between two processes.
package final class Votes: Sendable {
  /// How far the horizon is ahead of what is used. It is raised in good time, by whoever keeps the node up, so that no
  /// request waits for it; after a crash the counters of ballots go on from there.
  package static let horizonStepMicroseconds: UInt64 = 600 * 1_000_000

  private struct State {
    var record: NodeRecord
    var acceptor: Acceptor
    var floors: Floors
    /// The highest counter when the horizon was last raised: while nothing is used, nothing need be written.
    var usedAtRaise: UInt64
    /// In no round at or below this does the disk take part.
    var begunAbove: UInt64
  }

  private let root: Directory
  private let provisional = Member(.random(in: 0x8000...(.max)))
  private let member = Mutex(Member(0))
  private let state: Mutex<State>
  /// One writes the file at a time.
  private let writing = Mutex(())

  /// Takes up what the last process has left, and counts this start. On the disk threads, as all that may write the file.
  init(in root: borrowing Directory, path: String) throws(StoreOpenError) {
    let found = try Self.read(in: root, path)
    let horizon = found?.horizon ?? 0
    let record = NodeRecord(
      bootCount: (found?.bootCount ?? 0) + 1,
      horizon: max(horizon, Instant.wallMicroseconds) + Self.horizonStepMicroseconds,
      isWithheld: found?.isWithheld ?? false)
    do throws(SystemError) {
      guard let root = try root.directory(".") else { throw .absent(call: "openat") }
      try Self.write(record, in: root)
      self.root = root
    } catch {
      throw .unusable(path: path, error)
    }
    var acceptor = Acceptor(horizon: horizon, horizonStep: Self.horizonStepMicroseconds)
    acceptor.raised(to: record.horizon)
    state = Mutex(
      State(
        record: record, acceptor: acceptor, floors: Floors(horizon: horizon), usedAtRaise: horizon,
        begunAbove: horizon))
  }

  /// In no round at or below this does the disk take part: what was written of it at the start.
  package var begunAbove: UInt64 { state.withLock { $0.begunAbove } }
  /// What is written of it.
  package var record: NodeRecord { state.withLock { $0.record } }

  /// What the disk's host tells others of how far it has come. What is used counts only once the disk has it.
  /// `accepted` is the ballot at which the disk last accepted a layout.
  package func history(accepted: Ballot = .none) -> DiskHistory {
    state.withLock { state in
      DiskHistory(
        bootCount: state.record.bootCount, begunAbove: state.begunAbove,
        used: min(state.acceptor.highest, state.record.horizon), accepted: accepted.counter)
    }
  }

  /// The disk was put back to an earlier state: also a later process knows that its votes do not count.
  package func withhold() throws(SystemError) { try write { $0.record.isWithheld = true } }

  /// Raises the horizon above whatever may have been promised or used before the disk was put back, and takes part in no round
  /// at or below that. Clocks that differ by less than the step do no harm.
  package func passOver(_ remembered: DiskHistory) throws(SystemError) {
    try write { state in
      let used = max(state.acceptor.highest, remembered.used, Instant.wallMicroseconds)
      state.record.horizon = max(state.record.horizon, used + Self.horizonStepMicroseconds)
    }
    state.withLock { state in
      let horizon = state.record.horizon
      state.acceptor.passOver(horizon)
      state.floors = Floors(horizon: horizon)
      state.begunAbove = horizon
    }
  }

  /// The votes count again; whoever remembers the disk as it was sees that it has come further.
  package func renew(after remembered: DiskHistory) throws(SystemError) {
    try write { state in
      state.record.bootCount = max(state.record.bootCount, remembered.bootCount) + 1
      state.record.isWithheld = false
    }
  }

  /// A ballot, higher than all before, for a value that this node stores on its own.
  package func stamp() throws(SystemError) -> Ballot {
    let member = member.withLock { $0 }
    while true {
      let wall = Instant.wallMicroseconds
      if let ballot = state.withLock({ $0.acceptor.stamp(for: member, wallMicroseconds: wall) }) { return ballot }
      try raiseHorizon()
    }
  }

  /// The member that the disk is in the cluster's layout, from now on.
  package func become(_ member: Member) { self.member.withLock { $0 = member } }

  /// A ballot for a round of this node's own, where it takes no disk.
  package func ballotAtOnce(above highest: Ballot) -> Ballot? {
    let (ballot, before) = draw(above: highest)
    return before.isEmpty ? ballot : nil
  }

  /// A ballot for a round of this node's own.
  package func ballot(above highest: Ballot) throws(SystemError) -> Ballot {
    let (ballot, before) = draw(above: highest)
    if !before.isEmpty { try reach(ballot.counter) }
    return ballot
  }

  /// A disk that no layout has numbered yet takes part in the round about the first one under a number that hardly any other
  /// has: no two rounds may have one ballot.
  private func draw(above highest: Ballot) -> (ballot: Ballot, before: [Acceptor.Effect]) {
    let number = member.withLock { $0 }
    let member = number == Member(0) ? provisional : number
    let wall = Instant.wallMicroseconds
    return state.withLock { $0.acceptor.ballot(for: member, above: highest, wallMicroseconds: wall) }
  }

  /// What a request about a key makes the disk do.
  func step(
    _ request: RegisterRequest, _ key: Key, group: UInt8, _ held: Held?, isStaged: Bool
  ) -> [Acceptor.Effect] {
    state.withLock { state in
      let testimony = Testimony(held: held, floor: state.floors.floor(of: group))
      return state.acceptor.step(request, key, group: group, testimony, isStaged: isStaged)
    }
  }

  /// The answer to a read or a PREPARE, where nothing has to be written first; nil where something has.
  func answerAtOnce(_ request: RegisterRequest, _ key: Key, group: UInt8, _ held: Held?) -> RegisterAnswer? {
    state.withLock { state in
      if case .prepare(let ballot) = request, !state.acceptor.canPromiseAtOnce(ballot) { return nil }
      let testimony = Testimony(held: held, floor: state.floors.floor(of: group))
      let effects = state.acceptor.step(request, key, group: group, testimony, isStaged: false)
      guard case .answer(let answer)? = effects.first else {
        preconditionFailure("nothing is written ahead of such an answer")
      }
      return answer
    }
  }

  /// A file is to be removed, so that its key will look as if it had never been: whoever asks about a key of the group is
  /// told that something up to this ballot may be forgotten. A later process says so of all that was before it.
  func forget(group: UInt8) {
    state.withLock { $0.floors.forget(group: group, upTo: $0.acceptor.highest) }
  }

  /// Whether a round above a ballot was promised for the key.
  func outbids(_ ballot: Ballot, _ key: Key, group: UInt8) -> Bool {
    state.withLock { $0.acceptor.outbids(ballot, key, group: group) }
  }

  /// What may have been forgotten of a group.
  func floor(of group: UInt8) -> Ballot { state.withLock { $0.floors.floor(of: group) } }

  /// A sync has failed: what the disk has is not known until a restart.
  func syncFailed() { state.withLock { $0.acceptor.syncFailed() } }

  /// Writes a horizon above a counter, where that is needed.
  package func reach(_ counter: UInt64) throws(SystemError) {
    let horizon = state.withLock { state in
      state.acceptor.saw(counter)
      return state.record.horizon
    }
    guard counter > horizon else { return }
    try write { $0.record.horizon = max($0.record.horizon, counter + Self.horizonStepMicroseconds) }
  }

  /// Raises the horizon where what is used comes near it.
  package func keepAhead() throws(SystemError) {
    let isNear = state.withLock { state in
      let highest = max(state.acceptor.highest, Instant.wallMicroseconds)
      let isUsed = state.acceptor.highest != state.usedAtRaise
      return isUsed && highest + Self.horizonStepMicroseconds / 2 > state.record.horizon
    }
    if isNear { try raiseHorizon() }
  }

  /// Writes what was used at most, so that the next process need not skip anything. Nothing is used after this.
  package func close() throws(SystemError) {
    try write { $0.record.horizon = $0.acceptor.highest }
  }

  private func raiseHorizon() throws(SystemError) {
    try write { state in
      let used = max(state.acceptor.highest, Instant.wallMicroseconds)
      state.record.horizon = max(state.record.horizon, used + Self.horizonStepMicroseconds)
      state.usedAtRaise = state.acceptor.highest
    }
  }

  /// Changes the record, and makes that durable before it counts.
  private func write(_ change: (inout State) -> Void) throws(SystemError) {
    try writing.withLock { _ throws(SystemError) in
      var changed = state.withLock { $0 }
      change(&changed)
      try Self.write(changed.record, in: root)
      state.withLock { state in
        state.record = changed.record
        state.usedAtRaise = changed.usedAtRaise
        state.acceptor.raised(to: changed.record.horizon)
      }
    }
  }

  private static func read(in root: borrowing Directory, _ path: String) throws(StoreOpenError) -> NodeRecord? {
    let found: [UInt8]?
    do throws(SystemError) {
      found = try root.contents(of: StoreName.node, bytesMax: NodeRecord.bytesMax + 1)
    } catch {
      throw .unusable(path: path, error)
    }
    guard let found else { return nil }
    guard let record = NodeRecord(found) else { throw .unknownNode(path: path, found: PrintableText.escape(found)) }
    return record
  }

  private static func write(_ record: NodeRecord, in root: borrowing Directory) throws(SystemError) {
    try root.replaceFile(StoreName.node, by: StoreName.newNode, Array(record.text.utf8))
  }
}
