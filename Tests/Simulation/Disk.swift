import KVCluster
import KVCore

/// What a disk holds: what a process sees, and what a power cut leaves. Keys and groups are named by their number in the
/// world.
struct Disk {
  enum Write {
    /// Whether it is about the same file.
    func isOver(_ other: Write) -> Bool {
      switch (self, other) {
      case (.file(let key, _), .file(let otherKey, _)): key == otherKey
      case (.floor(let group, _), .floor(let otherGroup, _)): group == otherGroup
      case (.layout, .layout), (.horizon, .horizon): true
      default: false
      }
    }

    case file(Int, Held?)
    case floor(Int, Ballot)
    case horizon(UInt64)
    case layout(LayoutAcceptor.Record)
  }

  struct Contents {
    var files: [Held?]
    var floors: [Ballot]
    var horizon: UInt64 = 0
    var layout = LayoutAcceptor.Record()

    init(keyCount: Int) {
      files = Array(repeating: nil, count: keyCount)
      floors = Array(repeating: .none, count: keyCount)
    }

    mutating func damage(_ key: Int, keepingVote keepsVote: Bool) {
      guard files[key]?.descriptor.kind == .value else { return }
      if keepsVote { files[key]?.hasBytes = false } else { files[key] = nil }
    }

    mutating func apply(_ write: Write) {
      switch write {
      case .file(let key, let held): files[key] = held
      case .floor(let group, let ballot): floors[group] = ballot
      case .horizon(let horizon): self.horizon = max(self.horizon, horizon)
      case .layout(let record): layout = record
      }
    }
  }

  let id: DiskID
  private(set) var seen: Contents
  private(set) var durable: Contents
  private var unsynced: [(token: Int, write: Write)] = []
  private var lastToken = 0

  init(_ id: DiskID, keyCount: Int) {
    self.id = id
    seen = Contents(keyCount: keyCount)
    durable = seen
  }

  /// A write that a process sees at once.
  mutating func write(_ write: Write) -> Int {
    seen.apply(write)
    lastToken += 1
    unsynced.append((lastToken, write))
    return lastToken
  }

  mutating func sync(_ token: Int) {
    guard let index = unsynced.firstIndex(where: { $0.token == token }) else { return }
    let write = unsynced.remove(at: index).write
    durable.apply(write)
    // What was written of the same file before cannot come after it.
    unsynced.removeAll { $0.token < token && $0.write.isOver(write) }
  }

  mutating func writeSynced(_ write: Write) { sync(self.write(write)) }

  mutating func syncAll() {
    for (_, write) in unsynced { durable.apply(write) }
    unsynced = []
  }

  /// What was not synced is there or is not, each by itself.
  mutating func cutPower(_ random: inout Randomness) {
    for (_, write) in unsynced where random.chance(0.5) { durable.apply(write) }
    unsynced = []
    seen = durable
  }

  /// A process ends in good order: the next one need skip only what was used.
  mutating func close(_ highest: UInt64) {
    syncAll()
    seen.horizon = highest
    durable.horizon = highest
  }

  /// The bytes of a value are damaged. Its vote stays where that is kept apart from them.
  mutating func damage(_ key: Int, keepingVote keepsVote: Bool) {
    seen.damage(key, keepingVote: keepsVote)
    durable.damage(key, keepingVote: keepsVote)
  }
}
