import KVCluster
import KVCore

/// Every order of the requests of two rounds about a key with three owners, any of which may be lost, and a restart of one
/// owner at any moment. An answer arrives at once or never. Whatever is read after that must fit in with what the two
/// were told.
struct Exhaustion {
  /// What the two rounds are for.
  enum Pair: String, CaseIterable {
    case twoCreate = "two that create"
    case putAndRead = "one that writes and one that reads"
    case putAndExchange = "one that writes and one that exchanges"
  }

  private struct InFlight: Hashable {
    let owner: Int
    let request: RegisterRequest
    let proposer: Int
  }

  /// A moment: all that decides what can happen next.
  private struct Moment {
    var acceptors: [Acceptor]
    var horizons: [UInt64] = [0, 0, 0]
    var held: [Held?]
    var rounds: [Round]
    var results: [Operation.Result?] = [nil, nil]
    var inFlight: Set<InFlight> = []
    var restartsLeft: Int
    var attempts = [0, 0]

    /// Moments with the same one have the same future.
    var digest: Int {
      var hasher = Hasher()
      hasher.combine(acceptors)
      hasher.combine(horizons)
      hasher.combine(held)
      for round in rounds { hasher.combine(round.progress) }
      hasher.combine(results)
      hasher.combine(inFlight)
      hasher.combine(restartsLeft)
      hasher.combine(attempts)
      return hasher.finalize()
    }
  }

  private let rules: Rules
  private let kinds: [Operation.Kind]
  private let key: Key
  private let view = View(epoch: 1, owners: (1...3).map { Member($0) })
  /// How often each of the two begins.
  private let attemptsMax: [Int]
  private let restarts: Int
  private(set) var momentCount = 0

  init(_ pair: Pair, rules: Rules, attemptsMax: [Int], restarts: Int) {
    self.rules = rules
    self.restarts = restarts
    self.attemptsMax = attemptsMax
    switch pair {
    case .twoCreate: kinds = [.create, .create]
    case .putAndRead: kinds = [.put, .get]
    case .putAndExchange: kinds = [.put, .exchange(expected: nil)]
    }
    guard let key = try? Key([97]) else { preconditionFailure("one byte is a key") }
    self.key = key
  }

  /// What went wrong, or nil where nothing can.
  mutating func run() -> String? {
    var first = Moment(
      acceptors: (0..<3).map { _ in Acceptor(horizon: 0, rules: rules, horizonStep: 1) }, held: [nil, nil, nil],
      rounds: kinds.indices.map { Round(purpose($0), view, rules: rules) }, restartsLeft: restarts)
    for proposer in kinds.indices { perform(first.rounds[proposer].start(), proposer, &first) }
    var seen: Set<Int> = [first.digest]
    var stack = [first]
    while let moment = stack.popLast() {
      momentCount += 1
      if let problem = problem(moment) { return problem }
      for next in successors(of: moment) where seen.insert(next.digest).inserted { stack.append(next) }
    }
    return nil
  }

  private func purpose(_ proposer: Int) -> Round.Purpose {
    let kind = kinds[proposer]
    return Round.Purpose(write: kind.isGet ? nil : descriptor(proposer)) { kind.holds(on: $0?.valueBytes) }
  }

  /// What a proposer writes: its bytes are with all owners.
  private func descriptor(_ proposer: Int) -> Descriptor {
    Descriptor(
      upload: UploadID(member: Member(UInt16(proposer + 1)), counter: 1), kind: .value, valueBytes: proposer + 1,
      committedAtNanoseconds: 0, checksum: ValueChecksum(high: 0, low: 0))
  }

  // MARK: What can happen

  private func successors(of moment: Moment) -> [Moment] {
    var successors: [Moment] = []
    for flight in moment.inFlight {
      var unanswered = moment
      unanswered.inFlight.remove(flight)
      let answer = deliver(flight, &unanswered)
      successors.append(unanswered)
      guard let answer, unanswered.results[flight.proposer] == nil else { continue }
      var answered = unanswered
      let member = Member(UInt16(flight.owner + 1))
      let event = Round.Event.answer(answer, to: flight.request, asked: member, member: member)
      perform(answered.rounds[flight.proposer].step(event), flight.proposer, &answered)
      successors.append(answered)
    }
    for proposer in kinds.indices where moment.results[proposer] == nil {
      var next = moment
      perform(next.rounds[proposer].step(.timedOut), proposer, &next)
      successors.append(next)
    }
    guard moment.restartsLeft > 0 else { return successors }
    for owner in 0..<3 {
      var next = moment
      next.restartsLeft -= 1
      next.acceptors[owner] = Acceptor(horizon: moment.horizons[owner], rules: rules, horizonStep: 1)
      successors.append(next)
    }
    return successors
  }

  /// What an owner does, all of which is durable at once, and what it answers.
  private func deliver(_ flight: InFlight, _ moment: inout Moment) -> RegisterAnswer? {
    let testimony = Testimony(held: moment.held[flight.owner], floor: .none)
    for effect in moment.acceptors[flight.owner].step(flight.request, key, group: 0, testimony, isStaged: true) {
      switch effect {
      case .raiseHorizon(let horizon):
        moment.horizons[flight.owner] = horizon
        moment.acceptors[flight.owner].raised(to: horizon)
      case .store(let held, from: _): moment.held[flight.owner] = held
      case .answer(let answer): return answer
      case .raiseFloor, .remove: break
      }
    }
    return nil
  }

  private func perform(_ effects: [Round.Effect], _ proposer: Int, _ moment: inout Moment) {
    for effect in effects {
      switch effect {
      case .wantBallot(let above, _):
        moment.attempts[proposer] += 1
        // Whoever begins no more never tells how it ended.
        guard moment.attempts[proposer] <= attemptsMax[proposer] else {
          moment.results[proposer] = .unknown
          continue
        }
        let ballot = Ballot(counter: above.counter + 1, member: Member(UInt16(proposer + 1)))
        perform(moment.rounds[proposer].step(.begin(ballot)), proposer, &moment)
      case .send(let request, let members):
        for member in members {
          moment.inFlight.insert(InFlight(owner: Int(member.number) - 1, request: request, proposer: proposer))
        }
      case .supply: break
      case .finish(let outcome): moment.results[proposer] = result(of: outcome, proposer)
      }
    }
  }

  private func result(of outcome: Round.Outcome, _ proposer: Int) -> Operation.Result {
    switch outcome {
    case .chosen(let held): kinds[proposer].isGet ? .found(held?.descriptor.valueBytes) : .done
    case .refused: .refused
    case .notWritten: .nothing
    case .unknown, .moved: .unknown
    }
  }

  // MARK: What is right

  /// From here on nothing else arrives; whichever owners a reader then asks, what it finds must be right.
  private func problem(_ moment: Moment) -> String? {
    guard moment.results.contains(where: { $0 != nil && $0 != .unknown }) else { return nil }
    for absent in 0..<3 {
      let found = read(moment, without: absent)
      var history = kinds.indices.map { proposer in
        var operation = Operation(key: 0, kind: kinds[proposer], value: proposer + 1, begun: 0)
        operation.result = moment.results[proposer] ?? .unknown
        if operation.result != .unknown { operation.ended = 1 }
        return operation
      }
      history.append(Operation(key: 0, kind: .get, value: 0, begun: 2, ended: 3, result: .found(found)))
      guard Checker(history).isLinearizable else {
        return "told \(moment.results.map { $0.map { "\($0)" } ?? "nothing yet" }), then found \(found ?? 0)"
      }
    }
    return nil
  }

  /// What a round among the other two owners makes certain: what is accepted highest.
  private func read(_ moment: Moment, without absent: Int) -> Int? {
    let held = (0..<3).filter { $0 != absent }.compactMap { moment.held[$0] }
    return held.max { $0.ballot < $1.ballot }?.descriptor.valueBytes
  }
}
