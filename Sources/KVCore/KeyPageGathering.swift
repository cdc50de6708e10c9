/// Gathers the smallest keys of many for a page, whatever order they come in.
///
/// Keys that cannot be on the page any more are dropped at once, and the others sorted and cut each time there are
/// twice as many as the page has room for: so memory follows the page, and time hardly more than the number of keys.
public struct KeyPageGathering: Sendable {
  private static let slackKeys = 1024

  private let limit: Int
  private var keys: [[UInt8]] = []
  private var textBytes = 0
  private var next: [UInt8]?

  /// Nothing yet, of a page of at most so many keys.
  public init(limit: Int) {
    precondition(limit > 0, "a page has room for a key")
    self.limit = limit
  }

  /// Takes a key in.
  public mutating func insert(_ key: [UInt8]) {
    if let next, !key.lexicographicallyPrecedes(next) { return }
    keys.append(key)
    textBytes += key.count
    if keys.count > 2 * limit + Self.slackKeys || textBytes > 2 * KeyPage.textBytesMax { cut() }
  }

  /// Says that keys from this one on are not all known here: the page must end before it.
  public mutating func end(before key: [UInt8]) {
    if let next, !key.lexicographicallyPrecedes(next) { return }
    next = key
  }

  /// The page.
  public consuming func page() -> KeyPage {
    cut()
    return KeyPage(keys: keys, next: next)
  }

  private mutating func cut() {
    keys.sort { $0.lexicographicallyPrecedes($1) }
    var kept: [[UInt8]] = []
    textBytes = 0
    for key in keys where key != kept.last {
      if let next, !key.lexicographicallyPrecedes(next) { break }
      // At least one key stays, however long it is, or no page would get anywhere.
      guard kept.count < limit, kept.isEmpty || textBytes + key.count <= KeyPage.textBytesMax else {
        next = key
        break
      }
      kept.append(key)
      textBytes += key.count
    }
    keys = kept
  }
}
