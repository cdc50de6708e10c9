import KVCluster
import KVCore

/// A layout with what follows from it for the keys of a world, which is worked out once for all that go by it.
final class DecidedLayout {
  let layout: Layout
  /// Who votes about each key.
  let views: [View]
  /// The hosts of the members, which are called by their numbers, by member.
  private let hosts: [Int?]

  init(_ layout: Layout, _ slots: [Slot]) {
    self.layout = layout
    views = slots.map(layout.view)
    var hosts: [Int?] = Array(repeating: nil, count: Int(layout.lastMember.number) + 1)
    for member in layout.members { hosts[Int(member.member.number)] = Int(member.name) }
    self.hosts = hosts
  }

  var version: UInt64 { layout.version }

  func hostIndex(of member: Member) -> Int? {
    let number = Int(member.number)
    return hosts.indices.contains(number) ? hosts[number] : nil
  }
}
