import KVCore

/// Goes through what the present owners of a group hold, key by key in the order of their bytes, and finds out what of it
/// is decided: for one who is to own the group too.
///
/// Each is asked for its keys page by page, by the layout under which the group moves: no round of an earlier one can come
/// to a decision any more without those who have answered. Also who stays an owner goes through them: it may have missed
/// what the others have decided, and counts for the new owners as soon as it says that it has all.
package struct GroupSurvey: Sendable {
  /// What is to be done about a key.
  package enum Finding: Hashable, Sendable {
    /// A majority of its owners hold this.
    case decided(HeldKey, holders: [Member])
    /// They differ: only a round makes it certain.
    case unsettled(Key)
  }

  package enum Step: Hashable, Sendable {
    /// These are to be asked for what they hold behind that key.
    case ask([Question])
    case take([Finding])
    /// Too few of the owners of some slot answer. These do not.
    case stuck([Member])
    case finished
  }

  package struct Question: Hashable, Sendable {
    package let source: Member
    package let behind: Key?

    package init(source: Member, behind: Key?) { (self.source, self.behind) = (source, behind) }
  }

  /// How far one owner has told what it holds.
  private struct Telling {
    var page: ArraySlice<HeldKey> = []
    /// The last key that it has told of. What it does not list up to that key it does not have.
    var last: Key?
    var isLast = false

    var wantsPage: Bool { page.isEmpty && !isLast }
  }

  /// How many keys are told of at a time.
  package static let findingsMax = 500

  private let group: Int
  private let epoch: UInt64
  private let slot: @Sendable (Key) -> Slot
  /// By the second byte of the slot; nil where nothing is to be found out.
  private let owners: [[Member]?]
  /// Those who answer, in the order of their numbers.
  private var tellings: [(member: Member, telling: Telling)]
  private var silent: [Member] = []

  /// A survey of what a member needs of a group that moves. What was on a disk that is given up nobody waits for.
  package init(of group: Int, for member: Member, _ layout: Layout, slot: @escaping @Sendable (Key) -> Slot) {
    (self.group, self.slot) = (group, slot)
    epoch = layout.groups[group].epoch
    owners = LayoutPlan.slots(of: group).map { slot in
      let view = layout.view(of: slot)
      guard let next = view.nextOwners, next.contains(member), Set(next) != Set(view.owners) else { return nil }
      // Who alone has decided so far has all of it. And the only copy may be gone.
      return view.owners == [member] || Set(view.owners).isSubset(of: layout.lost) ? nil : view.owners
    }
    let asked = Set(owners.lazy.compactMap(\.self).joined())
    tellings = asked.subtracting(layout.lost).sorted().map { ($0, Telling()) }
    silent = asked.intersection(layout.lost).sorted()
  }

  /// What is to be done next.
  package mutating func next() -> Step {
    guard isAnswered else { return .stuck(silent) }
    let questions = tellings.filter(\.telling.wantsPage).map {
      Question(source: $0.member, behind: $0.telling.last)
    }
    if !questions.isEmpty { return .ask(questions) }
    var findings: [Finding] = []
    while findings.count < Self.findingsMax, !tellings.contains(where: \.telling.wantsPage), let key = firstKey {
      if let finding = takeFirst(key) { findings.append(finding) }
    }
    if !findings.isEmpty { return .take(findings) }
    return tellings.contains(where: \.telling.wantsPage) ? next() : .finished
  }

  /// One has told what it holds behind the last key that it had told of before.
  package mutating func take(_ page: [HeldKey], isLast: Bool, from source: Member) {
    // A page without an end says nothing of what is behind it.
    guard isLast || !page.isEmpty else { return fall(silent: source) }
    guard let index = tellings.firstIndex(where: { $0.member == source }) else { return }
    tellings[index].telling = Telling(
      page: page[...], last: page.last?.key ?? tellings[index].telling.last, isLast: isLast)
  }

  /// One gives no answer: the others may be enough.
  package mutating func fall(silent source: Member) {
    tellings.removeAll { $0.member == source }
    silent.append(source)
  }

  /// Whether most owners of each slot answer.
  private var isAnswered: Bool {
    silent.isEmpty
      || owners.allSatisfy { owners in
        owners.map { owners in View.isMajority(tellings.map(\.member), of: owners) } ?? true
      }
  }

  private var firstKey: Key? {
    tellings.compactMap(\.telling.page.first?.key).min { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  /// What its owners say of the first key of all. What lies on the disk of one who does not own it counts for nothing.
  private mutating func takeFirst(_ key: Key) -> Finding? {
    let slot = slot(key)
    let owners = slot.group == group ? owners[slot.number & 0xff] : nil
    var reading = owners.map { Reading(View(epoch: epoch, owners: $0)) }
    var held: [Member: HeldKey] = [:]
    for index in tellings.indices {
      let member = tellings[index].member
      if tellings[index].telling.page.first?.key == key { held[member] = tellings[index].telling.page.removeFirst() }
    }
    guard let owners else { return nil }
    // Floors say nothing here: they are for who proposes something.
    for member in owners where tellings.contains(where: { $0.member == member }) {
      let own = held[member].map { Held(ballot: $0.ballot, descriptor: $0.descriptor, hasBytes: true) }
      guard
        let outcome = reading?.take(.holds(Testimony(held: own, floor: .none)), asked: member, member: member)
      else { continue }
      return finding(outcome, key)
    }
    return reading.flatMap { finding($0.end(), key) }
  }

  private func finding(_ outcome: Reading.Outcome, _ key: Key) -> Finding? {
    switch outcome {
    case .chosen(nil, _, _): nil
    case .chosen(let held?, let holders, _):
      .decided(HeldKey(key: key, ballot: held.ballot, descriptor: held.descriptor), holders: holders)
    case .unsettled, .unavailable: .unsettled(key)
    }
  }
}
