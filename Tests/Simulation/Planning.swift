import KVCluster
import KVCore

/// What a host has for the layout besides its votes, as a node does: its operator's file, and what its process has heard and
/// done lately.
struct Planning {
  /// For how long what a host has told counts.
  private static let freshness = 50.0
  /// After how long a group is begun with again that has not come to an end.
  private static let syncTicks = 60.0

  /// What the file asks for.
  var wish: Wish
  private var heard: [DiskID: (hello: Hello, at: Double)] = [:]
  private(set) var synced: Set<SyncedGroup> = []
  private var begun: [SyncedGroup: Double] = [:]

  init(_ wish: Wish) { self.wish = wish }

  /// A process begins.
  mutating func restart() { self = Planning(wish) }

  mutating func hear(_ hello: Hello, at now: Double) { heard[hello.disk] = (hello, now) }

  /// Whether to begin with a group now. A node does one after the other; many at once would outbid each other for ever.
  mutating func begins(_ group: SyncedGroup, at now: Double) -> Bool {
    if let last = begun[group], now - last < Self.syncTicks { return false }
    begun[group] = now
    return true
  }

  mutating func sync(_ group: SyncedGroup) { synced.insert(group) }

  /// In an order of their own, so that a seed means the same each time.
  func hellos(at now: Double) -> [Hello] {
    heard.values.filter { now - $0.at < Self.freshness }.map(\.hello).sorted { $0.disk < $1.disk }
  }
}
