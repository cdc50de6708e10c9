import KVCore

/// Merges what the owners of keys list, where values have several copies.
///
/// What was acknowledged is on a majority of a key's owners, and any two majorities have one in common. So where a
/// majority lists the same of a key, or all of a majority lack it, nothing that was acknowledged before they were asked
/// says otherwise. Where none does, the key's register has to be asked. What is being written meanwhile may be listed
/// although it comes to nothing.
///
/// A group is an entry wherever one owner has a key of it, so that none is left out; it may be told although all its keys
/// were deleted, while an owner that missed this is not repaired.
package struct MergedListing: Sendable {
  package enum Finding: Equatable, Sendable {
    /// This is listed.
    case entry(ListEntry)
    /// The owners differ; this is what they list.
    case unsure(Key, listed: [ListedValue])

    package var isUnsure: Bool { if case .unsure = self { true } else { false } }
  }

  private struct Part {
    let member: Member
    let entries: [ListEntry]
    var index = 0

    var name: [UInt8]? { index < entries.count ? entries[index].name : nil }
  }

  /// The first name that not all have told of, if there is one: nothing can be said from there on.
  private let end: [UInt8]?
  private let layout: Layout
  private let slot: @Sendable (Key) -> Slot
  private var parts: [Part]

  /// The pages of those who answered, in the order of their names each. Where less than a majority of a key's owners is
  /// among them, what they have is taken for all that there is.
  package init(
    _ pages: [Member: ListPage], _ layout: Layout, slot: @escaping @Sendable (Key) -> Slot
  ) {
    (self.layout, self.slot) = (layout, slot)
    parts = pages.map { Part(member: $0.key, entries: $0.value.entries) }
    end = pages.values.compactMap(\.next).min { $0.lexicographicallyPrecedes($1) }
  }

  /// The next findings in order: at most so many, and of those that are unsure. None where all have been told.
  package mutating func next(_ countMax: Int, unsureMax: Int) -> [Finding] {
    var findings: [Finding] = []
    var unsureCount = 0
    while findings.count < countMax, unsureCount < unsureMax, let finding = next() {
      if finding.isUnsure { unsureCount += 1 }
      findings.append(finding)
    }
    return findings
  }

  /// The name up to which everything has been told: the first of what is left, or the end; nil where nothing is left.
  package var place: [UInt8]? {
    let names = parts.compactMap(\.name) + [end].compactMap { $0 }
    return names.min { $0.lexicographicallyPrecedes($1) }
  }

  private mutating func next() -> Finding? {
    while let name = place, name != end {
      if let finding = finding(takeEntries(name)) { return finding }
    }
    return nil
  }

  private mutating func takeEntries(_ name: [UInt8]) -> [(member: Member, entry: ListEntry)] {
    var taken: [(member: Member, entry: ListEntry)] = []
    for part in parts.indices where parts[part].name == name {
      taken.append((parts[part].member, parts[part].entries[parts[part].index]))
      parts[part].index += 1
    }
    return taken
  }

  /// Nil where there is nothing to list.
  private func finding(_ told: [(member: Member, entry: ListEntry)]) -> Finding? {
    var values: [(member: Member, value: ListedValue)] = []
    for (member, entry) in told {
      guard case .value(let value) = entry else { return .entry(entry) }
      values.append((member, value))
    }
    guard let name = values.first?.value.key, let key = try? Key(name) else { return nil }
    // While a group moves, its present owners have all that was acknowledged; those to be are still fetching it.
    let owners = layout.view(of: slot(key)).owners
    let isMajority = { (count: Int) in 2 * count > owners.count }
    let listed = values.filter { owners.contains($0.member) }
    let answeredCount = parts.count { owners.contains($0.member) }
    guard isMajority(answeredCount) else {
      return Self.newest(values.map(\.value)).map { .entry(.value($0)) }
    }
    for (_, value) in listed where isMajority(listed.count { $0.value == value }) { return .entry(.value(value)) }
    return isMajority(answeredCount - listed.count) ? nil : .unsure(key, listed: listed.map(\.value))
  }

  /// Of what is listed of a key, the value that was written last.
  package static func newest(_ values: [ListedValue]) -> ListedValue? {
    values.max { $0.modifiedAt.secondsSince1970 < $1.modifiedAt.secondsSince1970 }
  }
}

extension Layout {
  /// Whether a majority of the owners of each key is left without these members. Of what moves, also of the owners to be:
  /// once a majority of them goes by a later layout, its first owners may know no more what is decided.
  package func hasMajorities(without missing: Set<Member>) -> Bool {
    [current, next].allSatisfy { list in
      guard let list else { return true }
      return 2 * list.members.count { missing.contains($0.member) } < list.copies
    }
  }
}
