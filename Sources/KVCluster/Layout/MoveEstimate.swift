import KVCore

/// How long a change of the layout will still take, from how it got on since this node has been watching.
package struct MoveEstimate: Sendable {
  private let list: MemberList
  private let began: Instant
  private let movedBefore: Int

  /// Where a change is under way, at the moment at which it is noticed.
  package init?(_ layout: Layout, at now: Instant) {
    guard let next = layout.next else { return nil }
    (list, began, movedBefore) = (next, now, layout.movedGroupCount)
  }

  /// Whether it is about the same change.
  package func isAbout(_ layout: Layout) -> Bool { layout.next == list }

  /// The seconds left; nil while nothing has arrived yet.
  package func secondsLeft(_ layout: Layout, at now: Instant) -> Int? {
    let moved = layout.movedGroupCount - movedBefore
    guard moved > 0 else { return nil }
    let left = layout.groups.count - layout.movedGroupCount
    return Int(now.since(began).inSeconds * Double(left) / Double(moved))
  }

  /// The same in words.
  package static func words(secondsLeft seconds: Int) -> String {
    switch seconds {
    case ..<60: "less than a minute left"
    case ..<7200: "about \((seconds + 59) / 60) min left"
    default: "about \((seconds + 1800) / 3600) h left"
    }
  }
}
