/// Gathers the smallest keys of many for a page, whatever order they come in.
///
/// Keys that cannot be on the page any more are dropped at once, and the others sorted and cut each time there are
/// twice as many as the page has room for: so memory follows the page, and time hardly more than the number of keys.
package struct KeyPageGathering: Sendable {
  /// A key with its first bytes as a number, which decides nearly every comparison.
  private struct Entry: Sendable {
    let bytes: [UInt8]
    /// The first eight bytes, the first one weighing most; zeros stand for what is missing.
    private let start: UInt64

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
      var start: UInt64 = 0
      for index in 0..<8 { start = start << 8 | (index < bytes.count ? UInt64(bytes[index]) : 0) }
      self.start = start
    }

    func precedes(_ other: Entry) -> Bool {
      start == other.start ? bytes.lexicographicallyPrecedes(other.bytes) : start < other.start
    }

    func equals(_ other: Entry?) -> Bool {
      guard let other, start == other.start else { return false }
      return bytes == other.bytes
    }
  }

  private static let slackKeys = 1024

  private let limit: Int
  private var entries: [Entry] = []
  private var textBytes = 0
  private var next: Entry?

  /// Nothing yet, of a page of at most so many keys.
  package init(limit: Int) {
    precondition(limit > 0, "a page has room for a key")
    self.limit = limit
  }

  /// Takes a key in.
  package mutating func insert(_ key: [UInt8]) {
    let entry = Entry(key)
    if let next, !entry.precedes(next) { return }
    entries.append(entry)
    textBytes += key.count
    if entries.count > 2 * limit + Self.slackKeys || textBytes > 2 * KeyPage.textBytesMax { cut() }
  }

  /// Says that keys from this one on are not all known here: the page must end before it.
  package mutating func end(before key: [UInt8]) {
    let entry = Entry(key)
    if let next, !entry.precedes(next) { return }
    next = entry
  }

  /// The page.
  package consuming func page() -> KeyPage {
    cut()
    return KeyPage(keys: entries.map(\.bytes), next: next?.bytes)
  }

  private mutating func cut() {
    entries.sort { $0.precedes($1) }
    var kept: [Entry] = []
    textBytes = 0
    for entry in entries where !entry.equals(kept.last) {
      if let next, !entry.precedes(next) { break }
      // At least one key stays, however long it is, or no page would get anywhere.
      guard kept.count < limit, kept.isEmpty || textBytes + entry.bytes.count <= KeyPage.textBytesMax else {
        next = entry
        break
      }
      kept.append(entry)
      textBytes += entry.bytes.count
    }
    entries = kept
  }
}
