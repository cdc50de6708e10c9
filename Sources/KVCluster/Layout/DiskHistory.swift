import KVCore

/// How far a disk's votes had come when its host last told of itself. It only ever goes on; a data directory that was put
/// back to an earlier state, from a snapshot or a backup, begins before what others remember of it.
package struct DiskHistory: Hashable, Sendable {
  /// How often a node has been started on the disk.
  package let bootCount: UInt64
  /// No process before this one has used a ballot whose counter is above this.
  package let begunAbove: UInt64
  /// The highest counter that this one has used, as far as that is on the disk.
  package let used: UInt64
  /// The counter of the ballot at which the disk last accepted a layout.
  package let accepted: UInt64

  package init(bootCount: UInt64, begunAbove: UInt64, used: UInt64, accepted: UInt64 = 0) {
    (self.bootCount, self.begunAbove, self.used, self.accepted) = (bootCount, begunAbove, used, accepted)
  }

  /// Of a disk on which nothing has happened.
  package static let none = DiskHistory(bootCount: 0, begunAbove: 0, used: 0)

  /// Whether this may be of a process that came after one whose history that was.
  package func follows(_ earlier: DiskHistory) -> Bool {
    bootCount > earlier.bootCount && begunAbove >= earlier.used && accepted >= earlier.accepted
  }

  /// Whether a disk can have come so far. Nobody is started more often, or reaches higher counters; going on from there
  /// could overflow.
  package var isPossible: Bool { bootCount <= 1 << 32 && max(begunAbove, used, accepted) <= 1 << 61 }

  /// As far as either says.
  package func joined(with other: DiskHistory) -> DiskHistory {
    DiskHistory(
      bootCount: max(bootCount, other.bootCount), begunAbove: max(begunAbove, other.begunAbove),
      used: max(used, other.used), accepted: max(accepted, other.accepted))
  }
}

/// What is remembered of a disk's history, and of which process it was.
package struct RememberedDisk: Hashable, Sendable {
  package let disk: DiskID
  package private(set) var process: UInt64
  package private(set) var history: DiskHistory

  package init(_ hello: Hello) { (disk, process, history) = (hello.disk, hello.process, hello.history) }

  /// Takes note of what a host has told of the disk; false where that is of a time before what is remembered.
  package mutating func take(_ hello: Hello) -> Bool {
    guard hello.process == process || hello.history.follows(history) else { return false }
    history = hello.process == process ? history.joined(with: hello.history) : hello.history
    process = hello.process
    return true
  }
}

extension DiskHistory {
  package func write(to writer: inout ByteWriter) {
    writer.write(bootCount)
    writer.write(begunAbove)
    writer.write(used)
    writer.write(accepted)
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    let bootCount = try reader.count()
    let begunAbove = try reader.count()
    let used = try reader.count()
    self.init(bootCount: bootCount, begunAbove: begunAbove, used: used, accepted: try reader.count())
  }
}

extension RememberedDisk {
  package func write(to writer: inout ByteWriter) {
    writer.write(disk)
    writer.write(process)
    history.write(to: &writer)
  }

  package init(reading reader: inout ByteReader) throws(ByteReader.Malformed) {
    disk = try reader.disk()
    process = try reader.integer64()
    history = try DiskHistory(reading: &reader)
  }
}
