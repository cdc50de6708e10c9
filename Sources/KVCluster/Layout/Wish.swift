import KVCore

/// What the operator's file on one host asks for.
package struct Wish: Hashable, Sendable {
  /// The hosts in order.
  package let hosts: [WishedHost]
  /// How many copies there are to be of each value.
  package let copies: Int
  package let rule: PlacementRule

  /// Where nothing is drawn, weights and zones have no say.
  package init(hosts: [WishedHost], copies: Int, rule: PlacementRule) {
    self.hosts = rule == .ranges ? hosts.map { WishedHost(name: $0.name) } : hosts
    (self.copies, self.rule) = (copies, rule)
  }

  /// What a configuration asks for.
  package init(_ configuration: Configuration) {
    self.init(
      hosts: configuration.peers.map { WishedHost(name: $0.name, weight: $0.weight, zone: $0.zone) },
      copies: configuration.cluster.copies, rule: configuration.cluster.placement)
  }

  package var names: [String] { hosts.map(\.name) }

  /// The hosts as they take part in the choice of owners, by what is wished. `digest` is MD5.
  package func drawing(_ digest: ([UInt8]) -> [UInt8]) -> [RendezvousMember] {
    hosts.map { host in
      RendezvousMember(
        name: host.name, seed: RendezvousMember.seed(digest: digest(Array(host.name.utf8))), weight: host.weight,
        zone: host.zone)
    }
  }
}

/// A host that is wished for.
package struct WishedHost: Hashable, Sendable {
  package let name: String
  package let weight: Int
  package let zone: String?

  package init(name: String, weight: Int = 1, zone: String? = nil) {
    (self.name, self.weight, self.zone) = (name, weight, zone)
  }
}

extension MemberList {
  /// What a file says that asks for this list.
  package var wish: Wish {
    Wish(
      hosts: members.map { WishedHost(name: $0.name, weight: $0.weight, zone: $0.zone) }, copies: copies, rule: rule)
  }

  /// The list that is wished, on those disks. `digest` is MD5, for what is drawn.
  package init(_ wish: Wish, numbers: [Member], disks: [DiskID], digest: ([UInt8]) -> [UInt8]) {
    var draws = wish.hosts.map { _ in LayoutMember.Draw.none }
    if wish.rule == .rendezvous {
      let drawing = wish.drawing(digest)
      let weights = EffectiveWeights.fitted(to: drawing, copies: wish.copies)
      draws = zip(drawing, weights).map { LayoutMember.Draw(seed: $0.seed, weight: $1) }
    }
    let members = wish.hosts.indices.map { index in
      let host = wish.hosts[index]
      return LayoutMember(
        member: numbers[index], name: host.name, disk: disks[index], weight: host.weight, zone: host.zone,
        draw: draws[index])
    }
    self.init(members, copies: wish.copies, rule: wish.rule)
  }

  /// How many slots each member answers for, in the order of the list.
  package var slotCounts: [Int] {
    var counts: [Member: Int] = [:]
    for number in 0..<Slot.count { counts[firstOwner(of: Slot(number: number)).member, default: 0] += 1 }
    return members.map { counts[$0.member] ?? 0 }
  }
}
