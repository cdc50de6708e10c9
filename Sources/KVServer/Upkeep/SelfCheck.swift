import KVCore
import KVLinux
import KVStore
import Synchronization

/// What a self-check needs of the store. A test can stand in for it.
protocol CheckedStore: Sendable {
  /// Writes, syncs and removes a small file.
  func probe() throws(StoreError)
  /// The space of the file system with the values.
  func space() throws(SystemError) -> Directory.Space
  /// Counts what the store does: while it grows, the store gets on.
  var progress: Int { get }
}

extension Store: CheckedStore {}

/// Checks this node at a steady pace, and tells the service manager that it lives.
///
/// A check passes through a network thread and a disk thread, and writes, syncs and removes a file in the data
/// directory, on a thread of its own so that it waits behind no request. A call that hangs keeps the check from coming
/// back, so that no `WATCHDOG=1` is sent and systemd restarts the node, unless the store gets on all the same. An error
/// that comes back, such as a full disk, is no reason to restart: the node can still read, delete and say what is wrong.
final class SelfCheck: Sendable {
  /// The pace where no service manager sets one.
  private static let intervalDefault = Duration.seconds(10)

  /// How long between two checks: a third of what the service manager waits, so that one may come late.
  static var interval: Duration {
    ServiceManager.watchdogTimeout().map { min($0 / 3, intervalDefault) } ?? intervalDefault
  }

  private let store: any CheckedStore
  private let health: Health
  private let metrics: Metrics
  private let disk: IOExecutor
  private let probe: IOExecutor
  /// Tells the service manager that the node lives, and how it does.
  private let tell: @Sendable (Health.Verdict) -> Void
  private let liveness = Mutex(Liveness())

  init(
    store: any CheckedStore, health: Health, metrics: Metrics, disk: IOExecutor, probe: IOExecutor,
    tell: @escaping @Sendable (Health.Verdict) -> Void
  ) {
    self.store = store
    self.health = health
    self.metrics = metrics
    self.disk = disk
    self.probe = probe
    self.tell = tell
  }

  /// Checks once, ahead of saying that the node is ready.
  func begin() async {
    if beat().sendsCheck { await check() }
  }

  /// Checks at the pace given until the task is cancelled.
  func run(_ pace: Duration, _ clock: UpkeepClock) async {
    await withDiscardingTaskGroup { checks in
      var due = clock.now().advanced(by: pace)
      while await clock.sleep(due) {
        metrics.recordLag(seconds: clock.now().since(due).inSeconds, executor: "network")
        let beat = beat()
        if beat.sendsCheck { checks.addTask { await self.check() } }
        if beat.isBusy { report(.healthy, health.space) }
        due = clock.now().advanced(by: pace)
      }
    }
  }

  private func beat() -> Liveness.Beat { liveness.withLock { $0.beat(progress: store.progress) } }

  private func check() async {
    let started = Instant.now
    await withTaskExecutorPreference(disk) {
      metrics.recordLag(seconds: Instant.now.since(started).inSeconds, executor: "disk")
    }
    let (verdict, space) = await withTaskExecutorPreference(probe) { () -> (Health.Verdict, Directory.Space) in
      let verdict: Health.Verdict
      do throws(StoreError) {
        try store.probe()
        verdict = .healthy
      } catch {
        verdict = .unhealthy(error.reason)
      }
      return (verdict, (try? store.space()) ?? Directory.Space(freeBytes: 0, totalBytes: 0))
    }
    liveness.withLock { $0.cameBack() }
    report(verdict, space)
  }

  private func report(_ verdict: Health.Verdict, _ space: Directory.Space) {
    health.record(verdict, space)
    tell(verdict)
  }
}

/// Whether this node can do its work, as its last self-check found.
final class Health: Sendable {
  /// What a check found.
  enum Verdict: Equatable, Sendable {
    case healthy
    /// The reason, in words.
    case unhealthy(String)

    /// What is wrong, if something is.
    var reason: String? { if case .unhealthy(let reason) = self { reason } else { nil } }
  }

  private struct State {
    var verdict = Verdict.unhealthy("starting")
    var checkedAt = Instant.now
    var space = Directory.Space(freeBytes: 0, totalBytes: 0)
  }

  private let ageMax: Duration
  private let state = Mutex(State())

  /// A verdict is good for so long.
  init(ageMax: Duration) { self.ageMax = ageMax }

  /// The space of the file system with the values as the last check found it; zero where it could not be had.
  ///
  /// Whoever only wants to know does not ask the disk, which may hang: then this is told all the same.
  var space: Directory.Space { state.withLock { $0.space } }

  /// Takes in what a check found.
  func record(_ verdict: Verdict, _ space: Directory.Space) {
    state.withLock { $0 = State(verdict: verdict, checkedAt: .now, space: space) }
  }

  /// The last verdict; a check that is overdue is a bad sign itself, since it waits for a disk or a thread.
  var verdict: Verdict {
    let state = state.withLock { $0 }
    let age = Instant.now.since(state.checkedAt)
    return age <= ageMax
      ? state.verdict : .unhealthy("the self-check has not come back for \(age.components.seconds) s")
  }
}

/// Whether this node lives, by the checks that it sends out and what comes back of them.
///
/// Each check writes to the disk and passes through the disk threads, on a thread of its own. One that has not come back
/// may be stuck, or behind others on a disk that has much to do: as long as the store gets on, the node lives.
struct Liveness: Equatable, Sendable {
  /// What is to be done at a beat.
  struct Beat: Equatable, Sendable {
    /// Whether a check is to be sent out: there is none under way.
    let sendsCheck: Bool
    /// Whether the store has got on since the last beat, although the check has not come back.
    let isBusy: Bool
  }

  private var isUnderWay = false
  private var progress = 0

  /// It is time for the next check. `progress` counts what the store has done.
  mutating func beat(progress: Int) -> Beat {
    defer {
      self.progress = progress
      isUnderWay = true
    }
    return Beat(sendsCheck: !isUnderWay, isBusy: isUnderWay && progress != self.progress)
  }

  /// The check has come back, whatever it found.
  mutating func cameBack() { isUnderWay = false }
}
