import KVCore
import KVHTTP
import KVLinux
import KVStore
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
    var known = look(knowing: [])
    if let known, !known.isEmpty { node.logger.warning("\(known.count) damaged values lie in quarantine/") }
    await countValues()
    while await IOExecutor.current.wait(until: .after(Supervision.interval)) == .timedOut {
      guard let names = look(knowing: known ?? []), names != known else { continue }
      if let known { tell(names.subtracting(known).sorted()) }
      known = names
      await countValues()
    }
  }

  /// The names of the values in quarantine/, of which some are known already.
  private func look(knowing known: Set<String>) -> Set<String>? {
    do throws(SystemError) {
      let names = Set(try node.store.layout.quarantine.names())
      // A mark lies there for a moment, before it changes places with its value.
      let found = names.filter { name in known.contains(name) || !isUnusedMark(name) }
      node.store.quarantinedCount = found.count
      return found
    } catch {
      node.logger.warning("quarantine/ cannot be read: \(error)")
      return nil
    }
  }

  private func isUnusedMark(_ name: String) -> Bool {
    // What cannot be looked at is worth being named.
    (try? Quarantine.isUnusedMark(name, in: node.store.layout.quarantine)) ?? false
  }

  private func tell(_ names: [String]) {
    for name in names.prefix(Self.namedMax) {
      let key = (try? key(of: name))??.description ?? "unknown"
      node.logger.error(
        "a damaged value was moved away",
        metadata: ["key": "\(key)", "file": "quarantine/\(PrintableText.escape(name.utf8))"])
    }
    if names.count > Self.namedMax {
      node.logger.error("\(names.count - Self.namedMax) further damaged values were moved to quarantine/")
    }
  }

  private func key(of name: String) throws -> Key? {
    try node.store.layout.quarantine.openFile(name)?
      .attribute(Quarantine.keyAttributeName, bytesMax: Key.bytesMax).map { try Key($0) }
  }

  private func countValues() async {
    do throws(SystemError) {
      try await StoreWalk(store: node.store).countAll()
    } catch {
      node.logger.warning("the values cannot be counted, so metrics and status show too few: \(error)")
    }
  }
}
