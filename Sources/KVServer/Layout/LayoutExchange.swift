import KVCluster
import KVCore
import KVLinux

/// Tells the other hosts again and again how this one does, and hears how they do: so a layout reaches everybody, and a wish
/// everybody who has to agree to it.
struct LayoutExchange: Sendable {
  /// How long between two rounds, while nothing changes and while something does.
  private static let pace = Duration.seconds(1)
  private static let quickPace = Duration.milliseconds(100)

  let layouts: Layouts
  let desk: MessageDesk
  let disk: IOExecutor

  /// Goes on until the task is cancelled.
  func run() async {
    repeat {
      await tellAll()
      if !layouts.newCompanions.isEmpty { await onDisk { layouts.noteCompanions() } }
      if layouts.lacksAddress { await onDisk { layouts.reloaded() } }
    } while await IOExecutor.current.wait(until: .after(isQuick ? Self.quickPace : Self.pace)) == .timedOut
  }

  private var isQuick: Bool {
    guard layouts.current.value.configuration.peers.count > 0 else { return false }
    return layouts.known.map { $0.next != nil } ?? true
  }

  private func tellAll() async {
    let cluster = layouts.current.value
    let replies = await desk.exchangeWithAll(cluster)
    layouts.asked(
      cluster, silent: replies.filter { $0.1 == .silence }.map(\.0),
      older: Set(replies.filter { $0.1 == .isOlder }.map(\.0)))
  }

  private func onDisk(_ call: @Sendable () -> Void) async {
    await withTaskExecutorPreference(disk) { () async in call() }
  }
}
