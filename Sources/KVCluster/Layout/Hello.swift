import KVCore

/// A group that a new owner has all of, as of the epoch at which it began to move.
package struct SyncedGroup: Hashable, Sendable {
  package let group: UInt8
  package let epoch: UInt64

  package init(group: UInt8, epoch: UInt64) {
    self.group = group
    self.epoch = epoch
  }
}

/// Where a host is to be found, as a peer list would say it.
package struct HostAddress: Hashable, Sendable {
  package let name: String
  package let address: String

  package init(name: String, address: String) {
    self.name = name
    self.address = address
  }
}

extension HostAddress {
  private static let addressBytesMax = 512

  static func write(_ addresses: [HostAddress], to writer: inout ByteWriter) {
    writer.write(addresses) { writer, host in
      writer.write(host.name)
      writer.write(host.address)
    }
  }

  static func read(_ reader: inout ByteReader) throws(ByteReader.Malformed) -> [HostAddress] {
    try reader.list(max: 2 * Layout.membersMax) { reader throws(ByteReader.Malformed) in
      let name = try reader.hostName()
      return HostAddress(name: name, address: try reader.text(max: addressBytesMax))
    }
  }
}

/// What a host tells the others of itself, again and again.
package struct Hello: Hashable, Sendable {
  /// The host's name.
  package let name: String
  package let disk: DiskID
  /// Tells the process from any other on the same disk, or on a copy of it: a random number.
  package let process: UInt64
  /// How far the disk's votes have come.
  package var history: DiskHistory
  /// The cluster that the disk belongs to, once it does.
  package var cluster: ClusterID?
  /// The version of the layout that it goes by; 0 for none.
  package var version: UInt64
  package var wish: Wish
  /// How many values there are on the disk; nil while they are being counted.
  package var valueCount: UInt64?
  /// How many of them the wished list gives to others.
  package var strandedCount: UInt64
  package var synced: [SyncedGroup]
  /// Whether nothing is left on the disk that others had to be asked about whether it is theirs by now.
  package var isSwept: Bool
  /// Where the hosts of the layout are to be found: one that joins may not list those that leave.
  package var addresses: [HostAddress]
  /// Hosts by whose side it has answered for keys without a layout, and which it does not list any more.
  package var unlisted: [String]

  package init(
    name: String, disk: DiskID, process: UInt64 = 0, history: DiskHistory = .none, cluster: ClusterID? = nil,
    version: UInt64 = 0, wish: Wish, valueCount: UInt64? = 0, strandedCount: UInt64 = 0, synced: [SyncedGroup] = [],
    isSwept: Bool = true, addresses: [HostAddress] = [], unlisted: [String] = []
  ) {
    (self.name, self.disk, self.process, self.history) = (name, disk, process, history)
    (self.cluster, self.version) = (cluster, version)
    (self.wish, self.valueCount, self.strandedCount, self.synced) = (wish, valueCount, strandedCount, synced)
    (self.isSwept, self.addresses, self.unlisted) = (isSwept, addresses, unlisted)
  }

  package func write(to writer: inout ByteWriter) {
    writer.write(name)
    writer.write(disk)
    writer.write(process)
    history.write(to: &writer)
    writer.write(cluster) { $0.write($1) }
    writer.write(version)
    wish.write(to: &writer)
    writer.write(valueCount) { $0.write($1) }
    writer.write(strandedCount)
    writer.write(synced) { writer, synced in
      writer.write(synced.group)
      writer.write(synced.epoch)
    }
    writer.write(isSwept)
    HostAddress.write(addresses, to: &writer)
    writer.write(unlisted) { $0.write($1) }
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    name = try reader.hostName()
    disk = try reader.disk()
    process = try reader.integer64()
    history = try DiskHistory(reading: &reader)
    cluster = try reader.optional { reader throws(ByteReader.Malformed) in try reader.cluster() }
    version = try reader.count()
    wish = try Wish(reading: &reader)
    valueCount = try reader.optional { reader throws(ByteReader.Malformed) in try reader.integer64() }
    strandedCount = try reader.integer64()
    synced = try reader.list(max: Layout.groupCount) { reader throws(ByteReader.Malformed) in
      let group = try reader.byte()
      return SyncedGroup(group: group, epoch: try reader.integer64())
    }
    isSwept = try reader.bool()
    addresses = try HostAddress.read(&reader)
    unlisted = try reader.list(max: Layout.membersMax) { reader throws(ByteReader.Malformed) in try reader.hostName() }
  }
}
