import KVCore
import KVHTTP
import KVLinux
import KVStore
import Logging

/// Counts the store's values after the start, and again whenever a check has moved damaged ones to quarantine.
///
/// That check is another process, so the directory is all that tells of it.
struct QuarantineWatch: Worker {
  /// How many damaged values are named in the log at a time.
  private static let namedMax = 20

  let store: Store
  let lastCheck: LastCheck
  let logger: Logger
  let pace: Duration
  /// Who is told of damaged values: others may have them undamaged.
  let damaged: @Sendable (Key) -> Void
  private var known: Set<String>?

  init(
    store: Store, lastCheck: LastCheck, logger: Logger, pace: Duration, damaged: @escaping @Sendable (Key) -> Void
  ) {
    self.damaged = damaged
    self.store = store
    self.lastCheck = lastCheck
    self.logger = logger
    self.pace = pace
  }

  /// The first look, which takes as long as it takes to look at all values.
  mutating func begin() async {
    known = look(knowing: [])
    lastCheck.look()
    if let known, !known.isEmpty { logger.warning("\(Notices.damaged(known.count))") }
    for name in known ?? [] { note(name) }
    await countValues()
  }

  mutating func step(lateBy _: Duration) async {
    lastCheck.look()
    guard let names = look(knowing: known ?? []), names != known else { return }
    if let known { tell(names.subtracting(known).sorted()) }
    known = names
    store.index.markStale()
    await countValues()
  }

  /// The names of the values in quarantine/, of which some are known already.
  private func look(knowing known: Set<String>) -> Set<String>? {
    do throws(SystemError) {
      let names = Set(try store.layout.quarantine.names())
      // A mark lies there for a moment, before it changes places with its value.
      let found = names.filter { name in known.contains(name) || !isUnusedMark(name) }
      store.quarantinedCount = found.count
      return found
    } catch {
      logger.warning("quarantine/ cannot be read: \(error)")
      return nil
    }
  }

  private func isUnusedMark(_ name: String) -> Bool {
    // What cannot be looked at is worth being named.
    (try? Quarantine.isUnusedMark(name, in: store.layout.quarantine)) ?? false
  }

  /// Has what is there of a damaged value looked at anew.
  private func note(_ name: String) {
    guard let key = (try? key(of: name)) ?? nil else { return }
    store.usage.noteChange(shard: key.slot.group)
    damaged(key)
  }

  private func tell(_ names: [String]) {
    for name in names { note(name) }
    for name in names.prefix(Self.namedMax) {
      let key = (try? key(of: name))??.description ?? "unknown"
      logger.error(
        "a damaged value was moved away",
        metadata: ["key": "\(key)", "file": "quarantine/\(PrintableText.escape(Array(name.utf8)))"])
    }
    if names.count > Self.namedMax {
      let further = names.count - Self.namedMax
      let what = further == 1 ? "1 further damaged value was" : "\(further) further damaged values were"
      logger.error("\(what) moved to quarantine/")
    }
  }

  private func key(of name: String) throws -> Key? {
    try store.layout.quarantine.openFile(name)?
      .attribute(StoreName.quarantinedKeyAttribute, bytesMax: Key.bytesMax).map { try Key($0) }
  }

  private func countValues() async {
    for number in ValuePath.shards.indices where !Task.isCancelled {
      do throws(SystemError) {
        try store.count(shard: number)
      } catch {
        logger.warning("the values cannot be counted, so metrics and status do not show how many there are: \(error)")
        return
      }
      await IOExecutor.pause()
    }
  }
}
