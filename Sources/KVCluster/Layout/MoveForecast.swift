import KVCore

/// What a list that is wished would move, added up key by key.
package struct MoveForecast: Sendable {
  /// Values, and their bytes.
  package struct Sum: Hashable, Sendable {
    package var values = 0
    package var bytes = 0

    mutating func add(_ byteCount: Int) {
      values += 1
      bytes += byteCount
    }
  }

  /// What a host has, and what comes and goes. With copies, each counts.
  package struct Host: Hashable, Sendable {
    package var before = Sum()
    package var leaving = Sum()
    package var arriving = Sum()

    package init() {}
  }

  private let layout: Layout
  private let wished: MemberList
  /// By name.
  package private(set) var hosts: [String: Host] = [:]
  package private(set) var all = Sum()
  /// What has to come to hosts that do not have it.
  package private(set) var moved = Sum()

  /// Whether values have several copies, or are to have.
  package var hasCopies: Bool { layout.hasCopies || wished.copies > 1 }

  /// Nothing has been added yet. `digest` is MD5.
  package init(from layout: Layout, to wish: Wish, digest: ([UInt8]) -> [UInt8]) {
    self.layout = layout
    // Hosts are told apart by name here; which disks they have does not matter.
    wished = MemberList(
      wish, numbers: wish.hosts.indices.map { Member(UInt16($0)) },
      disks: wish.hosts.indices.map { DiskID(high: 0, low: UInt64($0)) }, digest: digest)
    for name in layout.current.members.map(\.name) + wish.names { hosts[name] = Host() }
  }

  /// Takes in a key that there is.
  package mutating func add(_ slot: Slot, byteCount: Int) {
    let (before, after) = (
      names(layout.view(of: slot).owners, layout.members), names(wished.owners(of: slot), wished.members)
    )
    all.add(byteCount)
    for name in before {
      hosts[name, default: Host()].before.add(byteCount)
      if !after.contains(name) { hosts[name, default: Host()].leaving.add(byteCount) }
    }
    for name in after where !before.contains(name) {
      moved.add(byteCount)
      hosts[name, default: Host()].arriving.add(byteCount)
    }
  }

  private func names(_ owners: [Member], _ members: [LayoutMember]) -> [String] {
    members.filter { owners.contains($0.member) }.map(\.name)
  }
}
