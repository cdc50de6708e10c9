import KVCluster
import KVCore
import KVLinux
import KVStore
import Logging

/// Brings the owners of a key to the same state, and forgets deletions that all of them hold. What this node lacks it fetches;
/// what others lack they are told, and fetch it themselves.
struct KeyRepair: Sendable {
  private static let attemptsMax = 4
  /// How old a deletion gets: written over soon, it need not be forgotten. It is there to save work and keeps nothing safe.
  static let deletionAge = Duration.seconds(30)

  enum Outcome: Sendable {
    /// All owners hold the same.
    case whole
    /// Others were told what they lack, and see to it.
    case told
    case forgotten
    /// All owners hold a deletion, which is not that old yet.
    case deleted(for: Duration)
    case waiting(for: [Member])
    case stuck(String)
    /// The layout has changed.
    case outdated
  }

  let runner: RoundRunner
  let pace: MovePace
  let record: RepairRecord
  let logger: Logger
  /// One at a time repairs a key, so that its bytes come once.
  private let turns = KeyTurns()

  init(runner: RoundRunner, pace: MovePace, record: RepairRecord, logger: Logger) {
    (self.runner, self.pace, self.record, self.logger) = (runner, pace, record, logger)
  }

  private var calls: RegisterCalls { runner.calls }
  private var owners: OwnerSurvey { OwnerSurvey(runner: runner) }

  /// Repairs a key by a layout: what is found is told under it, and under no newer one.
  func repair(_ key: Key, _ layout: Layout) async -> Outcome {
    await turns.withTurn(of: key) { await repairInTurn(key, layout) } ?? .outdated
  }

  private func repairInTurn(_ key: Key, _ layout: Layout) async -> Outcome {
    let view = layout.view(of: key.slot)
    var toldOthers = false
    // What came is kept until the end: a round may be over before this node's disk has taken part.
    var fetched: Set<UploadID> = []
    defer { for upload in fetched { calls.store.dropUpload(upload, of: key) } }
    var trouble = "its owners do not come to hold the same"
    for attempt in 1...Self.attemptsMax {
      guard let own = calls.layouts.current.value.topology.ownMember,
        let reading = OwnersReading(view, await owners.ask(.read, key, of: view.voters, layout))
      else { return .outdated }
      switch reading.outcome {
      case .chosen(_, _, let behind) where behind.isEmpty:
        return await settled(key, layout, view, reading)
      case .chosen(nil, _, _): return .whole
      case .chosen(let held?, let holders, let behind):
        if behind.contains(own) {
          // Its bytes, which may be many, do not come twice for one try.
          if let failure = await learn(held, key, from: holders, layout, own, reading, &fetched) {
            return .stuck(failure)
          }
        } else if toldOthers {
          return .told
        } else {
          await teach(held, key, to: behind, layout)
          toldOthers = true
        }
      case .unsettled:
        if let failure = await settle(key, layout, own, reading, isFirst: attempt == 1, &fetched) { trouble = failure }
      case .unavailable: return .waiting(for: reading.silent)
      }
    }
    return .stuck(trouble)
  }

  /// All that answered hold the same.
  private func settled(_ key: Key, _ layout: Layout, _ view: View, _ reading: OwnersReading) async -> Outcome {
    if !reading.silent.isEmpty, reading.highest != nil { return .waiting(for: reading.silent) }
    guard let ballot = reading.deletionOfAll, let deletion = reading.highest?.descriptor else { return .whole }
    let age = Duration.nanoseconds(Instant.wallNanoseconds - deletion.committedAtNanoseconds)
    // A clock that is ahead does not keep it for ever.
    if age >= .zero - Self.deletionAge, age < Self.deletionAge { return .deleted(for: max(age, .zero)) }
    return await forget(ballot, key, layout, view)
  }

  // MARK: What is missed

  /// Has this node hold what is decided. Returns why it does not.
  private func learn(
    _ held: Held, _ key: Key, from holders: [Member], _ layout: Layout, _ own: Member, _ reading: OwnersReading,
    _ fetched: inout Set<UploadID>
  ) async -> String? {
    let missed = HeldKey(key: key, ballot: held.ballot, descriptor: held.descriptor)
    let obstacle = await bring(missed, from: holders, own, &fetched)
    let question = RegisterQuestion(
      version: layout.version, epoch: layout.groups[key.slot.group].epoch, key: key,
      request: .learn(held.ballot, held.descriptor), source: nil)
    switch await calls.take(question) {
    case .register(.done, _):
      tellMended(key, had: reading.held(by: own), now: held)
      return nil
    // So much was forgotten here that only a round can tell.
    case .register(.outbid, _): return await decide(key, layout)
    case .register(.lacksBytes, _): return obstacle ?? "its bytes are gone again"
    case .register: return obstacle ?? "this node's store does not take it"
    default: return "the layout is changing"
    }
  }

  private func tellMended(_ key: Key, had: Held?, now held: Held) {
    record.countMended()
    guard let had, !had.hasBytes, had.ballot == held.ballot else { return }
    logger.warning("a damaged value was replaced by another owner's copy", metadata: ["key": "\(key)"])
  }

  /// Brings the bytes of what is missed here before anybody votes about them, from whoever has them. Returns why it does not.
  private func bring(
    _ missed: HeldKey, from holders: [Member], _ own: Member, _ fetched: inout Set<UploadID>
  ) async -> String? {
    guard missed.descriptor.kind == .value else { return nil }
    switch await calls.bring(missed, from: holders.filter { $0 != own }, pace).brought {
    case .fetched:
      fetched.insert(missed.descriptor.upload)
      return nil
    case .present, .current: return nil
    case .missing: break
    }
    do throws(StoreError) { try calls.store.checkSpace(for: missed.descriptor.valueBytes) } catch {
      return error.reason
    }
    return "its bytes are not to be had"
  }

  private func teach(_ held: Held, _ key: Key, to behind: [Member], _ layout: Layout) async {
    // What they cannot learn at once they note, and look at by themselves.
    _ = await owners.ask(.learn(held.ballot, held.descriptor), key, of: behind, layout)
  }

  // MARK: What is undecided

  /// Has the owners decide where they hold different things. Returns why they do not.
  private func settle(
    _ key: Key, _ layout: Layout, _ own: Member, _ reading: OwnersReading, isFirst: Bool,
    _ fetched: inout Set<UploadID>
  ) async -> String? {
    guard let highest = reading.highest else { return await decide(key, layout) }
    let holders = reading.holders(of: highest.ballot)
    if !holders.contains(own) {
      // A round hears of it that is run by whoever holds it: its own word comes first.
      if !isFirst { await haveLook(key, holders) }
      let missed = HeldKey(key: key, ballot: highest.ballot, descriptor: highest.descriptor)
      if let obstacle = await bring(missed, from: holders, own, &fetched), holders.isEmpty { return obstacle }
    }
    return await decide(key, layout)
  }

  private func decide(_ key: Key, _ layout: Layout) async -> String? {
    switch await runner.run(.certainty, key, layout).outcome {
    case .chosen:
      record.countMended()
      return nil
    case .moved: return "the layout is changing"
    case .refused, .notWritten, .unknown: return "too few of its owners agree"
    }
  }

  private func haveLook(_ key: Key, _ members: [Member]) async {
    let cluster = calls.layouts.current.value
    for member in members {
      guard let peer = cluster.topology.peer(of: member) else { continue }
      // Whoever does not hear it finds the difference when it compares.
      _ = await calls.peers.ask(.look(key), of: peer, cluster)
    }
  }

  // MARK: What was deleted

  /// A round may have been promised something by an owner that did not hold the deletion yet. Once all have promised more,
  /// holding it, it gets nothing from them any more, and the deletion can be forgotten.
  private func forget(_ deletion: Ballot, _ key: Key, _ layout: Layout, _ view: View) async -> Outcome {
    await runner.turns.withTurn(of: key) {
      guard let ballot = await runner.store.votes.ballot(above: deletion, on: calls.disk) else {
        return .stuck("this node's disk gives no ballot")
      }
      let promises = await owners.ask(.prepare(ballot), key, of: view.voters, layout)
      let missing = view.voters.filter { voter in
        guard case .answer(.promised(let testimony), member: voter) = promises[voter] else { return true }
        return testimony.ballot != deletion
      }
      guard missing.isEmpty else { return .waiting(for: missing) }
      let answers = await owners.ask(.purge(deletion), key, of: view.voters, layout)
      record.countForgotten()
      // Whoever has not done it holds a file of no bytes, which the next comparison settles.
      let late = view.voters.filter { voter in
        if case .answer(.done, member: voter) = answers[voter] { return false }
        return true
      }
      return late.isEmpty ? .forgotten : .waiting(for: late)
    } ?? .outdated
  }
}
