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
  private var answers: [Member: Testimony] = [:]
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
    return view.isQuorum(answers.keys) ? .unsettled : .unavailable
  }

  /// Whether all owners hold the same deletion, so that it can be forgotten.
  package var deletionOfAll: Ballot? {
    guard !view.isMoving, let highest = answers.values.max(by: { $0.ballot < $1.ballot })?.held,
      highest.descriptor.kind == .deletion
    else { return nil }
    let holders = answers.filter { $0.value.ballot == highest.ballot }.keys
    let isEnough = rules.contains(.purgesFromAll) ? holders.count == view.voters.count : view.isQuorum(holders)
    return isEnough ? highest.ballot : nil
  }

  /// The highest of what was answered, decided or not.
  package var highest: Held? { answers.values.max { $0.ballot < $1.ballot }?.held }

  private func agreement() -> Outcome? {
    guard view.isQuorum(answers.keys) else { return nil }
    let highest = answers.values.max { $0.ballot < $1.ballot }
    if !rules.contains(.readsOnlyChosen) { return outcome(of: highest) }
    for candidate in Set(answers.values.map(\.ballot)) {
      let same = answers.filter { $0.value.ballot == candidate }
      if view.isQuorum(same.keys) { return outcome(of: same.values.first) }
    }
    guard rules.contains(.agreesOnBallots) else { return agreementByUpload() }
    return nil
  }

  private func agreementByUpload() -> Outcome? {
    for candidate in Set(answers.values.map { $0.held?.descriptor.upload }) {
      let same = answers.filter { $0.value.held?.descriptor.upload == candidate }
      if view.isQuorum(same.keys) { return outcome(of: same.values.max { $0.ballot < $1.ballot }) }
    }
    return nil
  }

  private func outcome(of testimony: Testimony?) -> Outcome {
    let ballot = testimony?.ballot ?? .none
    let holders = answers.filter { $0.value.ballot == ballot && $0.value.held?.hasBytes ?? true }.keys.sorted()
    let behind = view.voters.filter { voter in
      answers[voter].map { $0.ballot < ballot || ($0.ballot == ballot && $0.held?.hasBytes == false) } ?? false
    }
    return .chosen(testimony?.held, holders: holders, behind: behind)
  }
}
