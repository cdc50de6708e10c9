import KVCluster
import KVCore
import KVLinux
import KVStore

/// Runs rounds and readings about keys: asks who is to be asked, and tells the state machine what they answer.
struct RoundRunner: Sendable {
  /// How long a round waits before it begins anew, doubled each time; a random part of it, so that two do not go on in step.
  private static let pauseMicroseconds = 500

  let calls: RegisterCalls
  let store: Store
  let network: IOExecutor
  /// Two rounds of one node about one key would only outbid each other.
  let turns = KeyTurns()

  /// What came of a round.
  struct Result: Sendable {
    let outcome: Round.Outcome
    /// Whether the write may have been taken somewhere, where the outcome is not certain.
    let mayBeWritten: Bool

    init(outcome: Round.Outcome, mayBeWritten: Bool) {
      self.outcome = outcome
      self.mayBeWritten = mayBeWritten
    }

    /// What can be said of a round that cannot go on.
    init(_ round: Round) {
      self.init(outcome: round.mayBeWritten ? .unknown : .notWritten, mayBeWritten: round.mayBeWritten)
    }
  }

  /// Runs a round in the layout, when no other of this node's is about the key. `source` has the bytes of what is written.
  func run(
    _ purpose: Round.Purpose, _ key: Key, _ layout: Layout, source: Member?, mayBeWritten: Bool = false
  ) async -> Result {
    await turns.withTurn(of: key) {
      await runInTurn(purpose, key, layout, source: source, mayBeWritten: mayBeWritten)
    } ?? Result(outcome: mayBeWritten ? .unknown : .notWritten, mayBeWritten: mayBeWritten)
  }

  private func runInTurn(
    _ purpose: Round.Purpose, _ key: Key, _ layout: Layout, source: Member?, mayBeWritten: Bool
  ) async -> Result {
    var round = Round(purpose, layout.view(of: key.slot), mayBeWritten: mayBeWritten)
    return await withTaskGroup(of: Round.Event.self) { group in
      defer { group.cancelAll() }
      var effects = round.start()
      while true {
        guard !effects.isEmpty else {
          effects = round.step(await group.next() ?? .timedOut)
          // Nobody is left who could say anything.
          if effects.isEmpty, group.isEmpty { return Result(round) }
          continue
        }
        switch effects.removeFirst() {
        case .wantBallot(let highest, let attempt):
          guard let ballot = await ballot(above: highest, attempt) else { return Result(round) }
          effects += round.step(.begin(ballot))
        case .send(let request, let members):
          let isOwn = request.descriptor?.upload == purpose.write?.upload
          for member in members { add(request, key, member, layout, isOwn ? source : round.holder, to: &group) }
        // An owner that lacks bytes asks for them itself, and says that it cannot where that does not help.
        case .supply: continue
        case .finish(let outcome): return Result(outcome: outcome, mayBeWritten: round.mayBeWritten)
        }
      }
    }
  }

  /// Asks all owners what they hold.
  func read(_ key: Key, _ layout: Layout) async -> Reading.Outcome? {
    var reading = Reading(layout.view(of: key.slot))
    return await withTaskGroup(of: Round.Event.self) { group in
      for member in reading.asked { add(.read, key, member, layout, nil, to: &group) }
      for await event in group {
        guard case .answer(let answer, _, let asked, let member) = event else {
          group.cancelAll()
          return nil
        }
        if let outcome = reading.take(answer, asked: asked, member: member) {
          group.cancelAll()
          return outcome
        }
      }
      return reading.end()
    }
  }

  private func add(
    _ request: RegisterRequest, _ key: Key, _ member: Member, _ layout: Layout, _ source: Member?,
    to group: inout TaskGroup<Round.Event>
  ) {
    group.addTask(executorPreference: network) {
      switch await calls.ask(request, key, of: member, layout, source: source) {
      case .answer(.lacksBytes, let member): .answer(.unable, to: request, asked: member, member: member)
      case .answer(let answer, let member): .answer(answer, to: request, asked: member, member: member)
      case .otherLayout: .moved
      case .silence: .answer(.unable, to: request, asked: member, member: member)
      }
    }
  }

  private func ballot(above highest: Ballot, _ attempt: Int) async -> Ballot? {
    if attempt > 1 {
      let most = Self.pauseMicroseconds << min(attempt, 8)
      _ = await IOExecutor.current.wait(until: .after(.microseconds(Int.random(in: most / 2...most))))
    }
    return await store.votes.ballot(above: highest, on: calls.disk)
  }
}

extension Votes {
  /// A ballot for a round of this node's own; nil where the disk cannot say that it was given.
  func ballot(above highest: Ballot, on disk: IOExecutor) async -> Ballot? {
    do throws(SystemError) {
      return try await withTaskExecutorPreference(disk) { () async throws(SystemError) in
        try ballot(above: highest)
      }
    } catch {
      return nil
    }
  }
}
