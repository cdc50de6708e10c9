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
    if case .holds(let testimony) = answer { answers.set(member, testimony) } else { others.insert(member) }
    if answers.count + others.count >= view.voters.count { return end() }
    return waitsForAll ? nil : agreement()
  }

  /// Nobody else will answer.
  package func end() -> Outcome {
    if let agreement = agreement() { return agreement }
    return answers.isQuorum(of: view) ? .unsettled : .unavailable
  }

  /// Whether all owners hold the same deletion, so that it can be forgotten.
  package var deletionOfAll: Ballot? {
    guard !view.isMoving, let highest, highest.descriptor.kind == .deletion else { return nil }
    let isHolder = { (testimony: Testimony) in testimony.ballot == highest.ballot }
    let isEnough =
      rules.contains(.purgesFromAll)
      ? answers.count(where: isHolder) == view.voters.count : answers.isQuorum(of: view, where: isHolder)
    return isEnough ? highest.ballot : nil
  }

  /// The highest of what was answered, decided or not.
  package var highest: Held? { answers.highest?.held }

  private func agreement() -> Outcome? {
    guard answers.isQuorum(of: view) else { return nil }
    if !rules.contains(.readsOnlyChosen) { return outcome(of: answers.highest) }
    // Only one ballot can have a quorum.
    for testimony in answers.entries.lazy.map(\.vote)
    where answers.isQuorum(of: view, where: { $0.ballot == testimony.ballot }) {
      // Whoever holds something newer was left so by a round that did not get through. That no lesson mends.
      if waitsForAll, let highest, highest.ballot > testimony.ballot { return nil }
      return outcome(of: testimony)
    }
    return rules.contains(.agreesOnBallots) ? nil : agreementByUpload()
  }

  private func agreementByUpload() -> Outcome? {
    for testimony in answers.entries.map(\.vote).sorted(by: { $0.ballot > $1.ballot }) {
      let upload = testimony.held?.descriptor.upload
      if answers.isQuorum(of: view, where: { $0.held?.descriptor.upload == upload }) { return outcome(of: testimony) }
    }
    return nil
  }

  private func outcome(of testimony: Testimony?) -> Outcome {
    let ballot = testimony?.ballot ?? .none
    let holders = answers.members { $0.ballot == ballot && $0.held?.hasBytes ?? true }
    let behind = view.voters.filter { voter in
      answers[voter].map { $0.ballot < ballot || ($0.ballot == ballot && $0.held?.hasBytes == false) } ?? false
    }
    return .chosen(testimony?.held, holders: holders, behind: behind)
  }
}
