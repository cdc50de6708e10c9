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
  let errands: Errands
  let batches: ReadBatches
  var missed: MissedKeys { calls.missed }
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

  /// Where the bytes are that a round is about.
  struct Bytes: Sendable {
    /// Who has them.
    let source: Member?
    /// They themselves, where they are few.
    var content: SmallContent?

    /// There are none, or whoever holds what is found has them.
    static let none = Bytes(source: nil)
  }

  /// Runs a round in the layout, when no other of this node's is about the key. `bytes` are those of what is written.
  func run(
    _ purpose: Round.Purpose, _ key: Key, _ layout: Layout, _ bytes: Bytes = .none, mayBeWritten: Bool = false
  ) async -> Result {
    await turns.withTurn(of: key) {
      await runInTurn(purpose, key, layout, bytes, mayBeWritten: mayBeWritten)
    } ?? Result(outcome: mayBeWritten ? .unknown : .notWritten, mayBeWritten: mayBeWritten)
  }

  private func runInTurn(
    _ purpose: Round.Purpose, _ key: Key, _ layout: Layout, _ bytes: Bytes, mayBeWritten: Bool
  ) async -> Result {
    // A disk that may have gone back must not use a ballot twice. Whoever asks looks again.
    guard calls.layouts.mayVote else { return Result(outcome: .moved, mayBeWritten: mayBeWritten) }
    var round = Round(purpose, layout.view(of: key.slot), mayBeWritten: mayBeWritten)
    let (news, teller) = AsyncStream.makeStream(of: News.self)
    return await withTaskGroup { timers in
      defer { timers.cancelAll() }
      var iterator = news.makeAsyncIterator()
      var effects = round.start()
      var phase = 0
      var hasAside = false
      while true {
        guard !effects.isEmpty else {
          switch await iterator.next() {
          case .event(let event, let isAside):
            hasAside = hasAside || isAside
            effects = round.step(event)
          case .timedOut(phase): effects = round.step(.timedOut)
          case .timedOut: continue
          // The node stops. What was proposed may have been accepted.
          case nil:
            _ = round.step(.moved)
            return Result(round)
          }
          continue
        }
        switch effects.removeFirst() {
        case .wantBallot(let highest, let attempt):
          guard let ballot = await ballot(above: highest, attempt) else { return Result(round) }
          effects += round.step(.begin(ballot))
        case .send(let request, let members):
          let isOwn = request.descriptor?.upload == purpose.write?.upload
          for member in members {
            ask(request, key, member, layout, isOwn ? bytes : Bytes(source: round.holder), teller)
          }
          phase += 1
          limit(phase, request, teller, &timers)
        // An owner that lacks bytes asks for them itself, and says that it cannot where that does not help.
        case .supply: continue
        case .finish(let outcome):
          if case .chosen(let held?) = outcome, held.descriptor.kind == .deletion { missed.noteDeleted(key) }
          // Whoever gives no vote yet may do so in a moment.
          let isPassing = outcome == .notWritten && hasAside
          return Result(outcome: isPassing ? .moved : outcome, mayBeWritten: round.mayBeWritten)
        }
      }
    }
  }

  /// What happened in a round, or that the others are not waited for any longer.
  private enum News: Sendable {
    /// Whether it comes from somebody who gives no vote now.
    case event(Round.Event, isAside: Bool)
    case timedOut(phase: Int)
  }

  /// Asks a member, whose answer may come when the round is over.
  private func ask(
    _ request: RegisterRequest, _ key: Key, _ member: Member, _ layout: Layout, _ bytes: Bytes,
    _ teller: AsyncStream<News>.Continuation
  ) {
    let isTaken = errands.take(about: member) {
      let reply = await calls.ask(
        request, key, of: member, layout, source: bytes.source,
        content: request.descriptor.flatMap { _ in bytes.content })
      note(reply, to: request, key, member)
      teller.yield(Self.news(reply, request, member))
    }
    if !isTaken { teller.yield(Self.news(.silence, request, member)) }
  }

  private static func news(_ reply: RegisterCalls.Reply, _ request: RegisterRequest, _ asked: Member) -> News {
    let isAside = if case .aside = reply { true } else { false }
    return .event(event(reply, request, asked), isAside: isAside)
  }

  private static func event(_ reply: RegisterCalls.Reply, _ request: RegisterRequest, _ asked: Member) -> Round.Event {
    switch reply {
    case .answer(.lacksBytes, let member): .answer(.unable, to: request, asked: asked, member: member)
    case .answer(let answer, let member): .answer(answer, to: request, asked: asked, member: member)
    case .otherLayout: .moved
    case .silence, .aside: .answer(.unable, to: request, asked: asked, member: asked)
    }
  }

  /// Whoever has not taken what was proposed may lack it for good.
  private func note(_ reply: RegisterCalls.Reply, to request: RegisterRequest, _ key: Key, _ member: Member) {
    guard case .accept = request else { return }
    if case .answer(.done, _) = reply { return }
    missed.note(key, at: member)
  }

  /// Those who have not answered by then are not waited for. Whoever accepts a value may have to fetch it.
  private func limit(
    _ phase: Int, _ request: RegisterRequest, _ teller: AsyncStream<News>.Continuation, _ timers: inout TaskGroup<Void>
  ) {
    let limits = calls.layouts.current.value.limits
    let timeout = request.descriptor == nil ? limits.connectTimeout : limits.idleTimeout
    timers.addTask(executorPreference: network) {
      guard await IOExecutor.current.wait(until: .after(timeout)) == .timedOut else { return }
      teller.yield(.timedOut(phase: phase))
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
    if let ballot = ballotAtOnce(above: highest) { return ballot }
    do throws(SystemError) {
      return try await withTaskExecutorPreference(disk) { () async throws(SystemError) in
        try ballot(above: highest)
      }
    } catch {
      return nil
    }
  }
}
