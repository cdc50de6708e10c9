import KVCore

/// How a layout is written, in messages and in the file `layout`. docs/value-format.md specifies it.
extension Layout {
  /// A list of more hosts than this is no list of ours.
  package static let membersMax = 1024
  /// No layout is longer.
  package static let writtenBytesMax = 512 << 10

  package func write(to writer: inout ByteWriter) {
    writer.write(cluster)
    writer.write(version)
    writer.write(lastMember.number)
    writer.write(proposal)
    current.write(to: &writer)
    writer.write(next) { $1.write(to: &$0) }
    writer.write(predecessors) { $1.write(to: &$0) }
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
    var groups: [GroupState] = []
    for _ in 0..<Self.groupCount { groups.append(try GroupState(reading: &reader)) }
    guard version > 0, !predecessors.isEmpty, next != nil || groups.allSatisfy({ $0.phase == .old }) else {
      throw ByteReader.Malformed("a layout that cannot be")
    }
    self.init(
      cluster: cluster, version: version, current: current, next: next, groups: groups, lastMember: lastMember,
      predecessors: predecessors, proposal: proposal)
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
    writer.write(members) { writer, member in
      writer.write(member.member.number)
      writer.write(member.name)
      writer.write(member.disk)
    }
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    let copies = Int(try reader.byte())
    let members = try reader.list(max: Layout.membersMax) { reader throws(ByteReader.Malformed) in
      let member = Member(try reader.integer16())
      let name = try reader.hostName()
      return LayoutMember(member: member, name: name, disk: try reader.disk())
    }
    guard !members.isEmpty, (1...members.count).contains(copies), Set(members.map(\.member)).count == members.count,
      Set(members.map(\.disk)).count == members.count, Set(members.map(\.name)).count == members.count
    else { throw ByteReader.Malformed("a list of members that cannot be") }
    self.init(members, copies: copies)
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

  mutating func cluster() throws(Malformed) -> ClusterID {
    let high = try integer64()
    return ClusterID(high: high, low: try integer64())
  }
}
