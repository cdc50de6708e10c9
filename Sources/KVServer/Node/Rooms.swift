import KVCore
import KVLinux

/// The threads of a node, each kind for what the others must not wait for.
package struct Rooms: Sendable {
  /// Heads, relays, refusals and what the page cache holds.
  let network: IOExecutor
  /// What the store does, where a call may block on a disk.
  let disk: IOExecutor
  /// Syncs, which a busy disk holds up for long.
  let sync: IOExecutor
  /// The self-check's own.
  let probe: IOExecutor
  /// What others hold up for as long as they like: the resolver, and the configuration's files.
  let outside: IOExecutor

  /// Starts them all.
  package init() throws(SystemError) {
    let processors = Process.processorCount
    network = try IOExecutor(name: "network", threadCount: max(2, processors))
    // Enough that a few slow disk calls leave threads for others; a thread costs little while it waits.
    disk = try IOExecutor(name: "disk", threadCount: max(8, 4 * processors))
    // The file system makes many durable in one go, if it is asked for them at once.
    sync = try IOExecutor(name: "sync", threadCount: max(16, 4 * processors))
    probe = try IOExecutor(name: "probe", threadCount: 1)
    outside = try IOExecutor(name: "outside", threadCount: 4)
  }
}

/// How many connections the limit of open files allows.
struct DescriptorBudget: Equatable, Sendable {
  /// What each connection may hold open at once: its socket, one to the owner, a value's file and directory,
  /// and both ends of a pipe.
  private static let perConnection = 6
  /// What the process holds open besides, connections that are being turned away not counted.
  private static let reserved = 128
  /// Which part of the connections is for other nodes, where there are too few for all.
  private static let peersPart = 5

  let connectionsMax: Int

  init(openFilesMax: Int) {
    connectionsMax = max(2, (openFilesMax - Self.reserved - Admission.undecidedDescriptorsMax) / Self.perConnection)
  }

  /// `MaxConnections=` clients and as many connections of other nodes, or what fits.
  func limits(connectionsMax wanted: Int) -> Admission.Limits {
    let peersMax = min(wanted, max(1, connectionsMax / Self.peersPart))
    return Admission.Limits(clientsMax: min(wanted, connectionsMax - peersMax), peersMax: peersMax)
  }
}
