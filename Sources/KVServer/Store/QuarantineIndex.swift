import KVCore
import KVLinux
import Synchronization

/// The keys whose values lie in `quarantine/` and have not been stored anew or deleted since.
///
/// Another process, `kvctl check --repair`, moves values there. So the directory is read again whenever it has changed,
/// and what was read is kept until then.
final class QuarantineIndex: Sendable {
  /// One look at the directory.
  private struct Reading {
    var namesByKey: [Key: [String]] = [:]
    var fileNames: Set<String> = []
    /// When the directory had last changed; nil where that does not tell whether it has changed since.
    var changedAtNanoseconds: Int64?
  }

  private struct State {
    var reading = Reading()
    /// How often files have been marked, which leaves the directory's time as it is.
    var markCount = 0
  }

  /// The extended attribute of a file whose key has been stored anew or deleted since.
  static let supersededAttributeName = "user.kvnode.superseded"
  /// The file system's clock ticks more often than this.
  private static let clockTickNanoseconds: Int64 = 100_000_000

  private let state = Mutex(State())

  /// How many keys had their value there at the last look.
  var keyCount: Int { state.withLock { $0.reading.namesByKey.count } }

  /// Whether a key's value lies there.
  func contains(_ key: Key, in directory: borrowing Directory) throws(SystemError) -> Bool {
    try refresh(directory)
    return state.withLock { $0.reading.namesByKey[key] != nil }
  }

  /// The names of all files there, with the key of each that has one.
  func files(in directory: borrowing Directory) throws(SystemError) -> (names: Set<String>, keys: [String: Key]) {
    try refresh(directory)
    let reading = state.withLock { $0.reading }
    var keys: [String: Key] = [:]
    for (key, names) in reading.namesByKey {
      for name in names { keys[name] = key }
    }
    return (reading.fileNames, keys)
  }

  /// A key has been stored anew or deleted: what lies there is not its value any more. True where something did.
  func supersede(_ key: Key, in directory: borrowing Directory) throws(SystemError) -> Bool {
    try refresh(directory)
    guard let names = state.withLock({ $0.reading.namesByKey[key] }) else { return false }
    for name in names {
      guard let file = try directory.openFile(name) else { continue }
      try file.setAttribute(Self.supersededAttributeName, [1])
      try file.sync()
    }
    state.withLock { state in
      state.reading.namesByKey[key] = nil
      state.markCount += 1
    }
    return true
  }

  private func refresh(_ directory: borrowing Directory) throws(SystemError) {
    let now = Instant.wallNanoseconds
    let changedAt = try directory.status().modifiedAtNanoseconds
    let (lastChangedAt, markCount) = state.withLock { ($0.reading.changedAtNanoseconds, $0.markCount) }
    guard lastChangedAt != changedAt else { return }
    var reading = try Self.read(directory)
    state.withLock { state in
      // A change within the same tick of the clock would leave the same time, and a mark leaves it in any case.
      if now - changedAt > Self.clockTickNanoseconds, state.markCount == markCount {
        reading.changedAtNanoseconds = changedAt
      }
      state.reading = reading
    }
  }

  private static func read(_ directory: borrowing Directory) throws(SystemError) -> Reading {
    var reading = Reading()
    for name in try directory.names() {
      guard let file = try directory.openFile(name), try file.status().isRegular else { continue }
      reading.fileNames.insert(name)
      guard let bytes = try file.attribute(Quarantine.keyAttributeName, bytesMax: Key.bytesMax),
        let key = try? Key(bytes), try file.attribute(supersededAttributeName, bytesMax: 1) == nil
      else { continue }
      reading.namesByKey[key, default: []].append(name)
    }
    return reading
  }
}
