import KVCore

/// What a node tells of the layout that it goes by, and of who wishes what: the answer to `GET /?layout`.
package struct LayoutReport: Hashable, Sendable {
  /// What a node has heard of a host, itself included.
  package struct Host: Hashable, Sendable {
    package let name: String
    package let disk: DiskID
    /// The version that it goes by; 0 for none.
    package let version: UInt64
    package let wish: Wish
    package let valueCount: UInt64?
    /// How long ago it was heard of.
    package let ageSeconds: UInt32

    package init(_ hello: Hello, ageSeconds: UInt32) {
      (name, disk, version, wish) = (hello.name, hello.disk, hello.version, hello.wish)
      (valueCount, self.ageSeconds) = (hello.valueCount, ageSeconds)
    }
  }

  /// The node that tells.
  package let node: String
  package let layout: Layout?
  package let addresses: [HostAddress]
  package let hosts: [Host]
  /// How a change gets on, or what it waits for.
  package let progress: String?

  package init(node: String, layout: Layout?, addresses: [HostAddress], hosts: [Host], progress: String?) {
    (self.node, self.layout, self.addresses) = (node, layout, addresses)
    (self.hosts, self.progress) = (hosts, progress)
  }

  /// Where a host is to be found, as the node knows it.
  package func address(of name: String) -> String? { addresses.first { $0.name == name }?.address }
}

/// How it is written for programs of this source tree.
extension LayoutReport {
  private static let heading = "kvnode layout report 1"
  /// None is longer.
  package static let writtenBytesMax = 8 << 20
  private static let hostsMax = 4 * Layout.membersMax
  /// Of hosts that wish yet other things nothing is told.
  private static let wishesMax = 32

  package var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.write(Self.heading)
    writer.write(node)
    writer.write(layout) { $1.write(to: &$0) }
    HostAddress.write(addresses, to: &writer)
    // Most hosts wish the same, and a wish names all of them.
    let wishes = Array(Set(hosts.map(\.wish)).prefix(Self.wishesMax))
    writer.write(wishes) { $1.write(to: &$0) }
    writer.write(hosts.filter { wishes.contains($0.wish) }) { writer, host in
      writer.write(host.name)
      writer.write(host.disk)
      writer.write(host.version)
      writer.write(UInt16(wishes.firstIndex(of: host.wish) ?? 0))
      writer.write(host.valueCount) { $0.write($1) }
      writer.write(host.ageSeconds)
    }
    writer.write(progress) { $0.write($1) }
    return writer.bytes
  }

  package init(_ bytes: [UInt8]) throws(ByteReader.Malformed) {
    var reader = ByteReader(bytes)
    guard try reader.text(max: Self.heading.utf8.count) == Self.heading else {
      throw ByteReader.Malformed("it is no report on a layout")
    }
    node = try reader.hostName()
    layout = try reader.optional { reader throws(ByteReader.Malformed) in try Layout(reading: &reader) }
    addresses = try HostAddress.read(&reader)
    let wishes = try reader.list(max: Self.wishesMax) { reader throws(ByteReader.Malformed) in
      try Wish(reading: &reader)
    }
    hosts = try reader.list(max: Self.hostsMax) { reader throws(ByteReader.Malformed) in
      let (name, disk, version) = (try reader.hostName(), try reader.disk(), try reader.integer64())
      let index = Int(try reader.integer16())
      guard wishes.indices.contains(index) else { throw ByteReader.Malformed("a wish that is not there") }
      let count = try reader.optional { reader throws(ByteReader.Malformed) in try reader.integer64() }
      let hello = Hello(name: name, disk: disk, version: version, wish: wishes[index], valueCount: count)
      return Host(hello, ageSeconds: try reader.integer32())
    }
    progress = try reader.optional { reader throws(ByteReader.Malformed) in try reader.text(max: 4096) }
    try reader.end()
  }
}

/// How it is written for everybody else.
extension LayoutReport {
  package var json: JSONObject {
    var object = JSONObject()
    object.add("node", node)
    if let layout { add(layout, to: &object) }
    if let progress { object.add("progress", progress) }
    object.add("hosts", hosts.map(Self.json))
    return object
  }

  private func add(_ layout: Layout, to object: inout JSONObject) {
    object.add("cluster", "\(layout.cluster)")
    object.add("version", Int(layout.version))
    object.add("current", json(layout.current, layout))
    if let next = layout.next {
      object.add("next", json(next, layout))
      object.add("groups", layout.groups.count)
      object.add("moving", layout.groups.count { $0.phase == .moving })
      object.add("moved", layout.movedGroupCount)
    }
    if let refused = layout.refused { object.add("refused", Self.json(refused)) }
  }

  private func json(_ list: MemberList, _ layout: Layout) -> JSONObject {
    var object = JSONObject()
    object.add("placement", list.rule.rawValue)
    object.add("replicas", list.copies)
    object.add(
      "members",
      list.members.map { member in
        var object = JSONObject()
        object.add("name", member.name)
        object.add("member", Int(member.member.number))
        object.add("disk", "\(member.disk)")
        if let address = address(of: member.name) { object.add("address", address) }
        object.add("weight", member.weight)
        if let zone = member.zone { object.add("zone", zone) }
        if layout.lost.contains(member.member) { object.add("lost", true) }
        return object
      })
    return object
  }

  private static func json(_ host: Host) -> JSONObject {
    var object = JSONObject()
    object.add("name", host.name)
    object.add("disk", "\(host.disk)")
    object.add("version", Int(clamping: host.version))
    if let count = host.valueCount { object.add("values", Int(clamping: count)) }
    object.add("heard_seconds_ago", Int(host.ageSeconds))
    object.add("wish", json(host.wish))
    return object
  }

  private static func json(_ wish: Wish) -> JSONObject {
    var object = JSONObject()
    object.add("placement", wish.rule.rawValue)
    object.add("replicas", wish.copies)
    object.add(
      "hosts",
      wish.hosts.map { host in
        var object = JSONObject()
        object.add("name", host.name)
        object.add("weight", host.weight)
        if let zone = host.zone { object.add("zone", zone) }
        return object
      })
    return object
  }
}
