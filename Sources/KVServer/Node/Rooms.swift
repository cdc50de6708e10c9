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
  /// What a client's connection may hold open at once: its socket, one to the owner, a value's file and directory,
  /// and both ends of a pipe.
  private static let perClient = 6
  /// What another node's may, for which nothing is relayed.
  private static let perPeer = 3
  /// What the process holds open besides, connections that are being turned away included.
  private static let reserved = 128
  /// Which part of the descriptors is for other nodes, where there are too few for all.
  private static let peersPart = 5

  /// How many descriptors connections may take.
  let descriptorsMax: Int

  init(openFilesMax: Int) { descriptorsMax = max(0, openFilesMax - Self.reserved) }

  /// `MaxConnections=` clients and as many connections of other nodes, or what fits.
  func limits(connectionsMax wanted: Int) -> Admission.Limits {
    let peersMax = min(wanted, max(1, descriptorsMax / Self.peersPart / Self.perPeer))
    let clientsMax = min(wanted, max(1, (descriptorsMax - peersMax * Self.perPeer) / Self.perClient))
    return Admission.Limits(clientsMax: clientsMax, peersMax: peersMax)
  }
}
