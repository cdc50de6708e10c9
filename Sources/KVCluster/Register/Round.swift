import KVCore

/// One round about a key: what its proposer does until the write is decided, refused or in doubt (the proposer of CASPaxos;
/// Rystsov 2018, section 2.2). It knows neither clock nor network: whoever runs it tells it what happened, and does what it
/// answers.
///
/// After an ACCEPT that may have been taken somewhere the write is never simply made again. From then on the round ends in
/// success, which is certain, or in doubt.
package struct Round: Sendable {
  /// What the round is to do.
  package struct Purpose: Sendable {
    /// What is written, or nil where what is there is only to be made certain.
    package let write: Descriptor?
    /// Whether it may be written over what is there; nil stands for nothing, never for a deletion.
    package let condition: @Sendable (Descriptor?) -> Bool

    package init(write: Descriptor?, if condition: @escaping @Sendable (Descriptor?) -> Bool = { _ in true }) {
      self.write = write
      self.condition = condition
    }

    /// What is there is made certain.
    package static let certainty = Purpose(write: nil)
  }

  package enum Event: Hashable, Sendable {
    /// The ballot that was asked for.
    case begin(Ballot)
    /// An owner's answer to that request; `member` is the disk that gave it.
    case answer(RegisterAnswer, to: RegisterRequest, asked: Member, member: Member)
    /// The bytes that an owner lacked are there.
    case supplied(Member)
    /// Nobody else will answer in time.
    case timedOut
    /// The owners are others by now.
    case moved
  }

  package enum Effect: Hashable, Sendable {
    /// `begin` follows, after a pause where this is not the first.
    case wantBallot(above: Ballot, attempt: Int)
    case send(RegisterRequest, to: [Member])
    /// `supplied` follows, if it works.
    case supply(UploadID, to: Member)
    case finish(Outcome)
  }

  package enum Outcome: Hashable, Sendable {
    /// This is chosen: what was written, or what was there.
    case chosen(Held?)
    /// The condition does not hold on this, which is chosen.
    case refused(Held?)
    /// Nothing was written, for too few owners took part.
    case notWritten
    /// Nobody can say whether it was, or will be, written.
    case unknown
    /// The owners are others by now, and a round of theirs is to go on.
    case moved
  }

  fileprivate enum State: Hashable {
    case waiting
    case preparing(Ballot, promises: Votes<Testimony>, others: Set<Member>)
    case accepting(Tally)
    case finished
  }

  /// What the owners have said to an ACCEPT.
  fileprivate struct Tally: Hashable {
    let held: Held
    /// What a quorum makes true.
    let outcome: Outcome
    var answers = Votes<Answer>()

    enum Answer {
      case done
      /// It holds something older, and will not take it.
      case outbid
      case other
    }
  }

  /// All that a round has come to: rounds for the same purpose that have come to the same go on in the same way.
  package struct Progress: Hashable, Sendable {
    fileprivate let state: State
    fileprivate let highest: Ballot
    fileprivate let attempt: Int
    fileprivate let mayBeWritten: Bool
  }

  /// How often it begins anew before it gives up.
  package static let attemptsMax = 5

  /// Who votes.
  package let view: View
  private let purpose: Purpose
  private let rules: Rules
  private var state = State.waiting
  private var highest: Ballot
  private var attempt = 1
  /// Who has promised and holds, with its bytes, what the round found.
  private(set) package var holder: Member?
  /// Whether the write may have been taken somewhere.
  private(set) package var mayBeWritten: Bool

  /// A round; `mayBeWritten` where an earlier one for the same write has ended in doubt.
  package init(_ purpose: Purpose, _ view: View, mayBeWritten: Bool = false, rules: Rules = .all) {
    self.purpose = purpose
    self.view = view
    self.mayBeWritten = mayBeWritten
    self.rules = rules
    highest = .none
  }

  /// The first thing to do.
  package func start() -> [Effect] { [.wantBallot(above: highest, attempt: attempt)] }

  /// How far it has come.
  package var progress: Progress {
    Progress(state: state, highest: highest, attempt: attempt, mayBeWritten: mayBeWritten)
  }

  package mutating func step(_ event: Event) -> [Effect] {
    switch event {
    case .begin(let ballot): return begin(ballot)
    case .answer(let answer, let request, let asked, let member):
      return take(answer, to: request, from: rules.contains(.countsDisks) ? member : asked)
    case .supplied(let member): return repeatAccept(to: member)
    case .timedOut: return giveUpWaiting()
    case .moved: return move()
    }
  }

  private mutating func begin(_ ballot: Ballot) -> [Effect] {
    guard case .waiting = state else { return [] }
    highest = max(highest, ballot)
    state = .preparing(ballot, promises: Votes(), others: [])
    return [.send(.prepare(ballot), to: view.voters)]
  }

  /// Only an answer to what was asked last counts. What is said to a PREPARE that came twice proves nothing of the ACCEPT
  /// at the same ballot.
  private mutating func take(_ answer: RegisterAnswer, to request: RegisterRequest, from member: Member) -> [Effect] {
    if case .outbid(let other, _) = answer { highest = max(highest, other) }
    guard view.hasVoter(member) else { return [] }
    switch (state, request) {
    case (.preparing(let current, let promises, let others), .prepare(let ballot))
    where current == ballot || !rules.contains(.tellsRequestsApart):
      return takePromise(answer, member, current, promises, others)
    case (.accepting(let tally), .accept(let ballot, _))
    where tally.held.ballot == ballot || !rules.contains(.tellsRequestsApart):
      return takeAccept(answer, member, tally)
    case (.accepting(let tally), .prepare) where !rules.contains(.tellsRequestsApart):
      return takeAccept(answer, member, tally)
    default: return []
    }
  }

  private mutating func takePromise(
    _ answer: RegisterAnswer, _ member: Member, _ ballot: Ballot, _ promises: Votes<Testimony>,
    _ others: Set<Member>
  ) -> [Effect] {
    var (promises, others) = (promises, others)
    if case .promised(let testimony) = answer { promises.set(member, testimony) } else { others.insert(member) }
    state = .preparing(ballot, promises: promises, others: others)
    if promises.isQuorum(of: view) { return decide(ballot, promises) }
    return promises.count + others.count >= view.voters.count ? again() : []
  }

  private mutating func takeAccept(_ answer: RegisterAnswer, _ member: Member, _ tally: Tally) -> [Effect] {
    var tally = tally
    switch answer {
    case .done: tally.answers.set(member, .done)
    case .outbid(_, let accepted) where accepted < tally.held.ballot || !rules.contains(.wantsProof):
      if tally.answers[member] != .done { tally.answers.set(member, .outbid) }
    case .lacksBytes: return [.supply(tally.held.descriptor.upload, to: member)]
    default: if tally.answers[member] == nil { tally.answers.set(member, .other) }
    }
    state = .accepting(tally)
    if tally.answers.isQuorum(of: view, where: { $0 == .done }) { return finish(tally.outcome) }
    return tally.answers.count == view.voters.count ? again() : []
  }

  /// A quorum has promised: what it holds decides what goes on.
  private mutating func decide(_ ballot: Ballot, _ promises: Votes<Testimony>) -> [Effect] {
    let current = promises.highest?.held
    holder = promises.entries.first { $0.vote.ballot == current?.ballot && $0.vote.held?.hasBytes == true }?.member
    let isChosen = promises.entries.allSatisfy { $0.vote.ballot == current?.ballot ?? .none }
    guard let write = purpose.write else {
      return isChosen ? finish(.chosen(current)) : confirm(current, at: ballot, promises, then: nil)
    }
    let isRepeat = current.map { write.repeats($0.descriptor) } == true && rules.contains(.recognisesRepeats)
    if mayBeWritten, rules.contains(.triesOnce), !isRepeat || rules.contains(.recognisesOnlyUntried) {
      guard current?.descriptor.upload == write.upload else { return finish(.unknown) }
      return isChosen ? finish(.chosen(current)) : confirm(current, at: ballot, promises, then: nil)
    }
    if let current, isRepeat {
      return recognise(current, as: write, isChosen, at: ballot, promises)
    }
    let visible = current?.descriptor.kind == .value ? current?.descriptor : nil
    if purpose.condition(visible) { return propose(write, at: ballot) }
    if isChosen || !rules.contains(.refusesOnlyOnChosen) { return finish(.refused(current)) }
    return confirm(current, at: ballot, promises, then: Outcome.refused)
  }

  /// The client has asked for this before, and it is in force, or will be: with other bytes it is not the same. Where this
  /// write itself may be made yet, it does not come to that: it could come after whatever the client does next.
  private mutating func recognise(
    _ current: Held, as write: Descriptor, _ isChosen: Bool, at ballot: Ballot, _ promises: Votes<Testimony>
  ) -> [Effect] {
    let isSame = current.descriptor.hasContent(of: write)
    // Where nobody is known to have the bytes, those that have come now are as good.
    if isSame, holder == nil { return propose(write, at: ballot) }
    let outcome = isSame ? Outcome.chosen : Outcome.refused
    if isChosen || !rules.contains(.recognisesOnlyChosen) { return finish(outcome(current)) }
    return confirm(current, at: ballot, promises, then: outcome)
  }

  private mutating func propose(_ write: Descriptor, at ballot: Ballot) -> [Effect] {
    let held = Held(ballot: ballot, descriptor: write, hasBytes: true)
    return accept(held, .chosen(held))
  }

  /// What may be held by too few is proposed once more, so that it is certain.
  private mutating func confirm(
    _ current: Held?, at ballot: Ballot, _ promises: Votes<Testimony>, then outcome: ((Held?) -> Outcome)?
  ) -> [Effect] {
    guard let current else { return finish(.chosen(nil)) }
    let held = Held(ballot: ballot, descriptor: current.descriptor, hasBytes: true)
    return accept(held, outcome?(held) ?? .chosen(held))
  }

  private mutating func accept(_ held: Held, _ outcome: Outcome) -> [Effect] {
    state = .accepting(Tally(held: held, outcome: outcome))
    return [.send(.accept(held.ballot, held.descriptor), to: view.voters)]
  }

  private mutating func repeatAccept(to member: Member) -> [Effect] {
    guard case .accepting(let tally) = state, tally.answers[member] != .done else { return [] }
    return [.send(.accept(tally.held.ballot, tally.held.descriptor), to: [member])]
  }

  private mutating func giveUpWaiting() -> [Effect] {
    switch state {
    case .preparing, .accepting: again()
    case .waiting, .finished: []
    }
  }

  /// Too few have agreed.
  private mutating func again() -> [Effect] {
    noteTry()
    guard attempt < Self.attemptsMax else { return finish(mayBeWritten ? .unknown : .notWritten) }
    attempt += 1
    state = .waiting
    return [.wantBallot(above: highest, attempt: attempt)]
  }

  private mutating func move() -> [Effect] {
    if case .finished = state { return [] }
    noteTry()
    return finish(.moved)
  }

  /// What was tried stays tried, unless all say that they hold something older and will not take it.
  private mutating func noteTry() {
    guard case .accepting(let tally) = state, tally.held.descriptor.upload == purpose.write?.upload else { return }
    if tally.answers.count(where: { $0 == .outbid }) < view.voters.count { mayBeWritten = true }
  }

  private mutating func finish(_ outcome: Outcome) -> [Effect] {
    state = .finished
    return [.finish(outcome)]
  }
}
