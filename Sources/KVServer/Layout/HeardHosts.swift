import KVCluster
import KVCore
import KVLinux
import Synchronization

/// What the other hosts have told of themselves, and what that says of this host's own disk.
final class HeardHosts: Sendable {
  /// For how long what a host has told of itself counts.
  static let freshness = Duration.seconds(5)
  private static let heardMax = 2 * Layout.membersMax
  private static let doubtMemory = Duration.seconds(30)
  /// For how long a host that is not there is waited for to get its copies.
  private static let patience = Duration.seconds(600)

  struct Heard {
    let hello: Hello
    let at: Instant
  }

  /// Why this disk's word does not count now.
  enum Doubt {
    /// Another host has a copy of the data directory: which of the two is right nobody can tell.
    case twin(String)
    /// Others remember the disk as it was later, so it has forgotten votes.
    case putBack(DiskHistory)
  }

  private struct State {
    var heard: [DiskID: Heard] = [:]
    var remembered: [DiskID: RememberedDisk]
    /// Those whose disks are older than what is remembered of them.
    var putBack: [DiskID: Heard] = [:]

    mutating func remember(_ hello: Hello, _ now: Instant) -> DiskHistory? {
      var disk = remembered[hello.disk] ?? RememberedDisk(hello)
      guard disk.take(hello) else {
        putBack[hello.disk] = Heard(hello: hello, at: now)
        return disk.history
      }
      remembered[hello.disk] = disk
      putBack[hello.disk] = nil
      return nil
    }
  }

  private let ownDisk: DiskID
  /// Tells this process from any other on the same disk.
  let process = UInt64.random(in: 1...(.max))
  private let state: Mutex<State>
  private let began = Instant.now
  /// Every request asks for it, so it has a lock of its own.
  private let twin = Mutex<Heard?>(nil)
  private let ownPutBack: Mutex<DiskHistory?>

  /// `isWithheld` says that an earlier process has been told already that the disk was put back.
  init(ownDisk: DiskID, remembered: [RememberedDisk], isWithheld: Bool) {
    self.ownDisk = ownDisk
    state = Mutex(State(remembered: Dictionary(remembered.map { ($0.disk, $0) }, uniquingKeysWith: { $1 })))
    ownPutBack = Mutex(isWithheld ? DiskHistory.none : nil)
  }

  /// Takes note of what a host has told. What is remembered of its disk, where that has gone back since; `isMember` says
  /// whether the layout knows the disk by that name.
  func take(_ hello: Hello, isMember: Bool) -> DiskHistory? {
    let now = Instant.now
    if hello.disk == ownDisk {
      // A list may lead a node to itself.
      if hello.process != process { twin.withLock { $0 = Heard(hello: hello, at: now) } }
      return nil
    }
    return state.withLock { state in
      if state.heard.count >= Self.heardMax {
        state.heard = state.heard.filter { now.since($0.value.at) < Self.freshness }
      }
      guard state.heard.count < Self.heardMax || state.heard[hello.disk] != nil else { return nil }
      state.heard[hello.disk] = Heard(hello: hello, at: now)
      return isMember && hello.history.isPossible ? state.remember(hello, now) : nil
    }
  }

  /// Forgets disks that no layout has any more.
  func forgetAll(but disks: Set<DiskID>) {
    state.withLock { state in
      state.remembered = state.remembered.filter { disks.contains($0.key) }
      state.putBack = state.putBack.filter { disks.contains($0.key) }
    }
  }

  /// What outlasts this process.
  var remembered: [RememberedDisk] { state.withLock { $0.remembered.values.sorted { $0.disk < $1.disk } } }

  /// What hosts have told of themselves not longer ago.
  func lately(within age: Duration = freshness) -> [Hello] {
    let now = Instant.now
    return state.withLock { $0.heard.values.filter { now.since($0.at) < age }.map(\.hello) }
  }

  /// Which of these disks nobody waits for any more. Those that have said nothing yet are waited for from the start on.
  func gone(of disks: [DiskID]) -> Set<DiskID> {
    let now = Instant.now
    return state.withLock { state in
      Set(disks.filter { $0 != ownDisk && now.since(state.heard[$0]?.at ?? began) >= Self.patience })
    }
  }

  /// All that was ever heard, the latest word first.
  var all: [Heard] { state.withLock { $0.heard.values.sorted { $0.at > $1.at } } }

  /// Hosts that were heard of lately and have forgotten votes.
  var putBackNames: [String] {
    let now = Instant.now
    return state.withLock { $0.putBack.values.filter { now.since($0.at) < Self.freshness }.map(\.hello.name) }.sorted()
  }

  /// Whether a disk has told last of a time before what is remembered of it.
  func hasForgotten(_ disk: DiskID) -> Bool { state.withLock { $0.putBack[disk] != nil } }

  /// Why this host's word does not count; nil where it does.
  var doubt: Doubt? {
    if let twinName { return .twin(twinName) }
    return ownPutBack.withLock { $0.map(Doubt.putBack) }
  }

  /// The host that has a copy of the data directory.
  var twinName: String? {
    guard let twin = twin.withLock({ $0 }), Instant.now.since(twin.at) < Self.doubtMemory else { return nil }
    return twin.hello.name
  }

  /// Another host remembers this one's disk as it was later. True where that is news.
  func notePutBack(_ remembered: DiskHistory) -> Bool {
    ownPutBack.withLock { known in
      defer { known = known?.joined(with: remembered) ?? remembered }
      return known == nil
    }
  }

  /// The disk has its votes again.
  func noteRenewed() { ownPutBack.withLock { $0 = nil } }
}
