import KVCore
import KVLinux

/// The directory that damaged values are moved to. docs/value-format.md specifies its names.
struct Quarantine: ~Copyable, Sendable {
  /// The extended attribute that holds the key of a file in quarantine, for its name may be cut short.
  static let keyAttributeName = "user.kvnode.key"
  private static let nameCharactersMax = 200
  private static let attemptsMax = 16

  let directory: Directory

  /// Moves a value's file here, durably, and returns its name. Nil where `name` leads to another file by now.
  func take(
    _ name: String, of key: Key, in source: borrowing Directory, _ file: borrowing File, inode: UInt
  ) throws(SystemError) -> String? {
    // Best effort: the file is worth keeping without its full name too.
    try? file.setAttribute(Self.keyAttributeName, key.bytes)
    let stem = "\(name.prefix(Self.nameCharactersMax)).\(inode)"
    guard try source.status(of: name)?.inode == inode, let moved = try move(name, in: source, stem: stem),
      try keepOnly(inode, moved, origin: name, in: source)
    else { return nil }
    try directory.sync()
    try source.sync()
    return moved
  }

  private func move(_ name: String, in source: borrowing Directory, stem: String) throws(SystemError) -> String? {
    for attempt in 0..<Self.attemptsMax {
      let newName = attempt == 0 ? stem : "\(stem).\(attempt)"
      do throws(SystemError) {
        if try source.renameToNew(name, to: newName, in: directory) { return newName }
      } catch  where error.isAbsent {
        return nil
      }
    }
    throw .nameTaken(call: "renameat2")
  }

  /// Between the look and the move, another process may have stored the key anew: then what was moved is put back,
  /// unless the key was stored once more, which made it void.
  func keepOnly(
    _ inode: UInt, _ moved: String, origin: String, in source: borrowing Directory
  ) throws(SystemError) -> Bool {
    guard try directory.status(of: moved)?.inode != inode else { return true }
    if try !directory.renameToNew(moved, to: origin, in: source) { _ = try directory.removeFile(moved) }
    try source.sync()
    return false
  }
}
