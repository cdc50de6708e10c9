import KVCore

/// Asks the owners of a key for what they hold, and answers once a quorum holds the same.
package struct Reading: Sendable {
  package enum Outcome: Hashable, Sendable {
    /// This is chosen; `behind` are those of the asked that said they hold something older, or lack the bytes.
    case chosen(Held?, holders: [Member], behind: [Member])
    /// The owners differ: only a round makes it certain.
    case unsettled
    /// Too few owners answered.
    case unavailable
  }

  private let view: View
  private let rules: Rules
  /// Whether all are waited for, as a repair does, or only a quorum.
  private let waitsForAll: Bool
  private var answers = Votes<Testimony>()
  private var others: Set<Member> = []

  package init(_ view: View, waitsForAll: Bool = false, rules: Rules = .all) {
    self.view = view
    self.waitsForAll = waitsForAll
    self.rules = rules
  }

  /// Who is to be asked.
  package var asked: [Member] { view.voters }

  /// An owner's answer; nil while more may come.
  package mutating func take(_ answer: RegisterAnswer, asked: Member, member: Member) -> Outcome? {
    let member = rules.contains(.countsDisks) ? member : asked
    guard view.hasVoter(member) else { return nil }
    if case .holds(let testimony) = answer { answers[member] = testimony } else { others.insert(member) }
    if answers.count + others.count >= view.voters.count { return end() }
    return waitsForAll ? nil : agreement()
  }

  /// Nobody else will answer.
  package func end() -> Outcome {
    if let agreement = agreement() { return agreement }
    return view.isQuorum(answers.members) ? .unsettled : .unavailable
  }

  /// Whether all owners hold the same deletion, so that it can be forgotten.
  package var deletionOfAll: Ballot? {
    guard !view.isMoving, let highest, highest.descriptor.kind == .deletion else { return nil }
    let holders = answers.members { $0.ballot == highest.ballot }
    let isEnough = rules.contains(.purgesFromAll) ? holders.count == view.voters.count : view.isQuorum(holders)
    return isEnough ? highest.ballot : nil
  }

  /// The highest of what was answered, decided or not.
  package var highest: Held? { answers.votes.max { $0.ballot < $1.ballot }?.held }

  private func agreement() -> Outcome? {
    guard view.isQuorum(answers.members) else { return nil }
    if !rules.contains(.readsOnlyChosen) { return outcome(of: answers.votes.max { $0.ballot < $1.ballot }) }
    // Only one ballot can have a quorum.
    for testimony in answers.votes where view.isQuorum(answers.members { $0.ballot == testimony.ballot }) {
      // Whoever holds something newer was left so by a round that did not get through. That no lesson mends.
      if waitsForAll, let highest, highest.ballot > testimony.ballot { return nil }
      return outcome(of: testimony)
    }
    return rules.contains(.agreesOnBallots) ? nil : agreementByUpload()
  }

  private func agreementByUpload() -> Outcome? {
    for testimony in answers.votes.sorted(by: { $0.ballot > $1.ballot }) {
      let same = answers.members { $0.held?.descriptor.upload == testimony.held?.descriptor.upload }
      if view.isQuorum(same) { return outcome(of: testimony) }
    }
    return nil
  }

  private func outcome(of testimony: Testimony?) -> Outcome {
    let ballot = testimony?.ballot ?? .none
    let holders = answers.members { $0.ballot == ballot && $0.held?.hasBytes ?? true }.sorted()
    let behind = view.voters.filter { voter in
      answers[voter].map { $0.ballot < ballot || ($0.ballot == ballot && $0.held?.hasBytes == false) } ?? false
    }
    return .chosen(testimony?.held, holders: holders, behind: behind)
  }
}
