/// Gathers the first entries of many for a page, whatever order they come in.
///
/// Entries that cannot be on the page any more are dropped at once, and the others sorted and cut each time there are
/// twice as many as the page has room for: so memory follows the page, and time hardly more than the number of entries.
package struct ListGathering: Sendable {
  private static let slackEntries = 1024

  private let limit: Int
  private var entries: [ListEntry] = []
  private var textBytes = 0
  private var next: [UInt8]?

  /// Nothing yet, of a page of at most so many entries.
  package init(limit: Int) {
    precondition(limit > 0, "a page has room for an entry")
    self.limit = limit
  }

  /// Takes an entry in.
  package mutating func insert(_ entry: ListEntry) {
    if let next, !entry.name.lexicographicallyPrecedes(next) { return }
    entries.append(entry)
    textBytes += entry.textBytes
    if entries.count > 2 * limit + Self.slackEntries || textBytes > 2 * ListPage.textBytesMax { cut() }
  }

  /// Says that entries from this one on are not all known here: the page must end before it.
  package mutating func end(before name: [UInt8]) {
    if let next, !name.lexicographicallyPrecedes(next) { return }
    next = name
  }

  /// Whether the page is full, if the entries come in order: no later one will be on it.
  package var isFull: Bool { entries.count > limit || textBytes > ListPage.textBytesMax }

  /// The page.
  package consuming func page() -> ListPage {
    cut()
    skipGroup()
    return ListPage(entries: entries, next: next)
  }

  /// A page may end inside a group that is on it, where another node went past that group: what follows in it has been
  /// told, and the next page would tell it again.
  private mutating func skipGroup() {
    guard case .group(let group) = entries.last, let end = next, end.starts(with: group) else { return }
    next = Self.firstName(behind: group)
  }

  /// The first bytes after all that begin with these, or nil where nothing can come after.
  package static func firstName(behind group: [UInt8]) -> [UInt8]? {
    guard let last = group.lastIndex(where: { $0 < 0xFF }) else { return nil }
    return group[..<last] + [group[last] + 1]
  }

  private mutating func cut() {
    entries.sort { $0.name.lexicographicallyPrecedes($1.name) }
    var kept: [ListEntry] = []
    textBytes = 0
    for entry in entries where entry.name != kept.last?.name {
      if let next, !entry.name.lexicographicallyPrecedes(next) { break }
      // At least one stays, however long it is, or no page would get anywhere.
      guard kept.count < limit, kept.isEmpty || textBytes + entry.textBytes <= ListPage.textBytesMax else {
        next = entry.name
        break
      }
      kept.append(entry)
      textBytes += entry.textBytes
    }
    entries = kept
  }
}
