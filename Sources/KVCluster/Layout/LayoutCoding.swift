import KVCore

/// How a layout is written, in messages and in the file `layout`. docs/value-format.md specifies it.
extension Layout {
  /// A list of more hosts than this is no list of ours.
  package static let membersMax = 1024
  /// No layout is longer.
  package static let writtenBytesMax = 1 << 20

  package func write(to writer: inout ByteWriter) {
    writer.write(cluster)
    writer.write(version)
    writer.write(lastMember.number)
    writer.write(proposal)
    current.write(to: &writer)
    writer.write(next) { $1.write(to: &$0) }
    writer.write(predecessors) { $1.write(to: &$0) }
    writer.write(lost.sorted()) { $0.write($1.number) }
    writer.write(refused) { $1.write(to: &$0) }
    for group in groups { group.write(to: &writer) }
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    let cluster = try reader.cluster()
    let version = try reader.count()
    let lastMember = Member(try reader.integer16())
    let proposal = try reader.ballot()
    let current = try MemberList(reading: &reader)
    let next = try reader.optional { reader throws(ByteReader.Malformed) in try MemberList(reading: &reader) }
    let predecessors = try reader.list(max: 2) { reader throws(ByteReader.Malformed) in
      try MemberList(reading: &reader)
    }
    let lost = try reader.list(max: Self.membersMax) { reader throws(ByteReader.Malformed) in
      Member(try reader.integer16())
    }
    let refused = try reader.optional { reader throws(ByteReader.Malformed) in try Wish(reading: &reader) }
    var groups: [GroupState] = []
    for _ in 0..<Self.groupCount { groups.append(try GroupState(reading: &reader)) }
    guard version > 0, !predecessors.isEmpty, next != nil || groups.allSatisfy({ $0.phase == .old }) else {
      throw ByteReader.Malformed("a layout that cannot be")
    }
    self.init(
      cluster: cluster, version: version, current: current, next: next, groups: groups, lastMember: lastMember,
      predecessors: predecessors, lost: Set(lost), refused: refused, proposal: proposal)
  }
}

extension GroupState {
  fileprivate func write(to writer: inout ByteWriter) {
    let code: UInt8 =
      switch phase {
      case .old: 0
      case .moving: 1
      case .new: 2
      }
    writer.write(code)
    writer.write(epoch)
    writer.write(switches)
    writer.write(switchedFrom)
  }

  fileprivate init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    switch try reader.byte() {
    case 0: phase = .old
    case 1: phase = .moving
    case 2: phase = .new
    case let other: throw ByteReader.Malformed("the phase \(other)")
    }
    epoch = try reader.count()
    switches = try reader.integer32()
    switchedFrom = try reader.count()
  }
}

extension MemberList {
  package func write(to writer: inout ByteWriter) {
    writer.write(UInt8(copies))
    writer.write(rule)
    writer.write(members) { writer, member in
      writer.write(member.member.number)
      writer.write(member.name)
      writer.write(member.disk)
      writer.write(UInt16(member.weight))
      writer.write(member.zone) { $0.write($1) }
      writer.write(member.draw.seed)
      writer.write(UInt32(member.draw.weight))
    }
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    let copies = Int(try reader.byte())
    let rule = try reader.placementRule()
    let members = try reader.list(max: Layout.membersMax) { reader throws(ByteReader.Malformed) in
      let member = Member(try reader.integer16())
      let name = try reader.hostName()
      let disk = try reader.disk()
      let (weight, zone) = (try reader.weight(), try reader.zone())
      let draw = LayoutMember.Draw(seed: try reader.integer64(), weight: Int(try reader.integer32()))
      return LayoutMember(member: member, name: name, disk: disk, weight: weight, zone: zone, draw: draw)
    }
    guard !members.isEmpty, (1...members.count).contains(copies), Set(members.map(\.member)).count == members.count,
      Set(members.map(\.disk)).count == members.count, Set(members.map(\.name)).count == members.count,
      RendezvousPlacement.copyCounts.contains(copies),
      members.allSatisfy({ RendezvousMember.weights.contains($0.draw.weight) })
    else { throw ByteReader.Malformed("a list of members that cannot be") }
    self.init(members, copies: copies, rule: rule)
  }
}

extension Wish {
  package func write(to writer: inout ByteWriter) {
    writer.write(UInt8(copies))
    writer.write(rule)
    writer.write(hosts) { writer, host in
      writer.write(host.name)
      writer.write(UInt16(host.weight))
      writer.write(host.zone) { $0.write($1) }
    }
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    let copies = Int(try reader.byte())
    let rule = try reader.placementRule()
    let hosts = try reader.list(max: Layout.membersMax) { reader throws(ByteReader.Malformed) in
      let name = try reader.hostName()
      let weight = try reader.weight()
      return WishedHost(name: name, weight: weight, zone: try reader.zone())
    }
    guard RendezvousPlacement.copyCounts.contains(copies) else { throw ByteReader.Malformed("a wish for no copies") }
    self.init(hosts: hosts, copies: copies, rule: rule)
  }
}

extension LayoutAcceptor.Record {
  package func write(to writer: inout ByteWriter) {
    writer.write(accepted)
    writer.write(layout) { $1.write(to: &$0) }
    writer.write(known) { $1.write(to: &$0) }
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    self.init(
      accepted: try reader.ballot(),
      layout: try reader.optional { reader throws(ByteReader.Malformed) in try Layout(reading: &reader) },
      known: try reader.optional { reader throws(ByteReader.Malformed) in try Layout(reading: &reader) })
  }
}

extension ByteWriter {
  mutating func write(_ disk: DiskID) {
    write(disk.high)
    write(disk.low)
  }

  mutating func write(_ rule: PlacementRule) {
    let code: UInt8 =
      switch rule {
      case .ranges: 0
      case .rendezvous: 1
      }
    write(code)
  }

  mutating func write(_ cluster: ClusterID) {
    write(cluster.high)
    write(cluster.low)
  }
}

extension ByteReader {
  mutating func disk() throws(Malformed) -> DiskID {
    let high = try integer64()
    return DiskID(high: high, low: try integer64())
  }

  fileprivate mutating func placementRule() throws(Malformed) -> PlacementRule {
    switch try byte() {
    case 0: .ranges
    case 1: .rendezvous
    case let other: throw Malformed("the placement rule \(other)")
    }
  }

  fileprivate mutating func weight() throws(Malformed) -> Int {
    let weight = Int(try integer16())
    guard Peer.weights.contains(weight) else { throw Malformed("the weight \(weight)") }
    return weight
  }

  fileprivate mutating func zone() throws(Malformed) -> String? {
    try optional { reader throws(Malformed) in try reader.hostName() }
  }

  mutating func cluster() throws(Malformed) -> ClusterID {
    let high = try integer64()
    return ClusterID(high: high, low: try integer64())
  }
}
