import KVCluster
import KVCore

/// What a disk holds: what a process sees, and what a power cut leaves.
struct Disk {
  enum Write {
    case file(Key, Held?)
    case floor(UInt8, Ballot)
    case horizon(UInt64)
    case layout(LayoutAcceptor.Record)
  }

  struct Contents {
    var files: [Key: Held] = [:]
    var floors: [UInt8: Ballot] = [:]
    var horizon: UInt64 = 0
    var layout = LayoutAcceptor.Record()

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
  private(set) var seen = Contents()
  private(set) var durable = Contents()
  private var unsynced: [(token: Int, write: Write)] = []
  private var lastToken = 0

  init(_ id: DiskID) { self.id = id }

  /// A write that a process sees at once.
  mutating func write(_ write: Write) -> Int {
    seen.apply(write)
    lastToken += 1
    unsynced.append((lastToken, write))
    return lastToken
  }

  mutating func sync(_ token: Int) {
    guard let index = unsynced.firstIndex(where: { $0.token == token }) else { return }
    durable.apply(unsynced.remove(at: index).write)
  }

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

  func testimony(_ key: Key, group: UInt8) -> Testimony {
    Testimony(held: seen.files[key], floor: seen.floors[group] ?? .none)
  }
}
