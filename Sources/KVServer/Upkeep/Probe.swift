import KVCore
import KVLinux
import KVStore
import Synchronization

/// Checks this node at a steady pace, and tells the service manager that it lives.
///
/// A check passes through a network thread and a disk thread, and writes, syncs and removes a file in the data
/// directory. A call that hangs keeps the check from coming back, so that no `WATCHDOG=1` is sent and systemd
/// restarts the node. An error that comes back, such as a full disk, is no reason to restart: the node can still
/// read, delete and say what is wrong.
struct Supervision {
  /// The pace where no service manager sets one.
  private static let intervalDefault = Duration.seconds(10)

  let node: Node

  /// How long between two checks: a third of what the service manager waits, so that one may come late.
  static var interval: Duration {
    ServiceManager.watchdogTimeout().map { min($0 / 3, intervalDefault) } ?? intervalDefault
  }

  /// Checks once, ahead of saying that the node is ready.
  func begin() async { await checkAndTell() }

  /// Checks until the task is cancelled.
  func run() async {
    var due = Instant.after(Self.interval)
    while await IOExecutor.current.wait(until: due) == .timedOut {
      node.metrics.recordLag(seconds: Instant.now.since(due).inSeconds, executor: "network")
      await checkAndTell()
      node.peers.closeExpired()
      due = .after(Self.interval)
    }
  }

  private func checkAndTell() async {
    let (verdict, space) = await check()
    node.health.record(verdict, space)
    ServiceManager.notify("WATCHDOG=1", "STATUS=\(status(verdict))")
  }

  private func check() async -> (Health.Verdict, Directory.Space) {
    let started = Instant.now
    return await withTaskExecutorPreference(node.disk) {
      node.metrics.recordLag(seconds: Instant.now.since(started).inSeconds, executor: "disk")
      let verdict: Health.Verdict
      do throws(StoreError) {
        try node.store.probe()
        verdict = .healthy
      } catch {
        verdict = .unhealthy(error.reason)
      }
      return (verdict, (try? node.store.space()) ?? Directory.Space(freeBytes: 0, totalBytes: 0))
    }
  }

  private func status(_ verdict: Health.Verdict) -> String {
    let cluster = node.cluster
    let peers = cluster.configuration.peers.count
    let place = peers == 0 ? "single node" : "\(cluster.configuration.nodeName) of \(peers) nodes"
    let usage = node.store.usage.total.count
    let free = node.health.space.freeBytes >> 30
    let facts = "\(usage.values) values, \(node.admission.servedCount) connections, \(free) GiB free"
    switch verdict {
    case .healthy: return "Serving as \(place): \(facts)"
    case .unhealthy(let reason): return "Impaired: \(reason). Serving as \(place): \(facts)"
    }
  }
}

/// Whether this node can do its work, as its last self-check found.
final class Health: Sendable {
  /// What a check found.
  enum Verdict: Equatable, Sendable {
    case healthy
    /// The reason, in words.
    case unhealthy(String)
  }

  private struct State {
    var verdict = Verdict.unhealthy("starting")
    var checkedAt = Instant.now
    var space = Directory.Space(freeBytes: 0, totalBytes: 0)
  }

  private let state = Mutex(State())

  /// The space of the file system with the values as the last check found it; zero where it could not be had.
  ///
  /// Whoever only wants to know does not ask the disk, which may hang: then this is told all the same.
  var space: Directory.Space { state.withLock { $0.space } }

  /// Takes in what a check found.
  func record(_ verdict: Verdict, _ space: Directory.Space) {
    state.withLock { $0 = State(verdict: verdict, checkedAt: .now, space: space) }
  }

  /// The last verdict; a check that is overdue is a bad sign itself, since it waits for a disk or a thread.
  func verdict(maximumAge: Duration) -> Verdict {
    let state = state.withLock { $0 }
    let age = Instant.now.since(state.checkedAt)
    return age <= maximumAge
      ? state.verdict : .unhealthy("the self-check has not come back for \(age.components.seconds) s")
  }
}
