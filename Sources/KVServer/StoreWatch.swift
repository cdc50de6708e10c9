import KVCore
import KVLinux
import Logging

/// Counts the store's values after the start, and again whenever a check has moved damaged ones to quarantine.
///
/// That check is another process, so the directory is all that tells of it.
struct StoreWatch {
  /// How many damaged values are named in the log at a time.
  private static let namedMax = 20

  let node: Node

  /// Watches until the task is cancelled.
  func run() async {
    var known = look()?.names
    await countValues()
    while await IOExecutor.current.wait(until: .after(Supervision.interval)) == .timedOut {
      guard let (names, keys) = look(), names != known else { continue }
      if let known { tell(names.subtracting(known).sorted(), keys) }
      known = names
      await countValues()
    }
  }

  private func look() -> (names: Set<String>, keys: [String: Key])? {
    // A directory that cannot be read is told to everyone who asks for a key that it may hold.
    try? node.store.quarantined.files(in: node.store.layout.quarantine)
  }

  private func tell(_ names: [String], _ keys: [String: Key]) {
    for _ in names { node.store.countDamage() }
    for name in names.prefix(Self.namedMax) {
      node.logger.error(
        "a stored value was found damaged and moved away",
        metadata: [
          "key": "\(keys[name]?.description ?? "unknown")", "file": "quarantine/\(PrintableText.escape(name.utf8))",
        ])
    }
    if names.count > Self.namedMax {
      node.logger.error("\(names.count - Self.namedMax) further values were found damaged and moved to quarantine/")
    }
  }

  private func countValues() async {
    do throws(SystemError) {
      try await StoreWalk(store: node.store).countAll()
    } catch {
      node.logger.warning("the values cannot be counted, so metrics and status show too few: \(error)")
    }
  }
}
