import KVCore
import KVLinux

/// The directory that damaged values are moved to. docs/value-format.md specifies its names.
///
/// A mark stays in a value's place: an empty file that says where the value went. So a reader is told, and a PUT or DEL
/// of the key replaces or removes the mark as it would the value. Value and mark change places in one step, in which no
/// reader finds neither.
package struct Quarantine: ~Copyable, Sendable {
  private static let nameBytesMax = 255
  private static let nameCharactersMax = 200
  private static let attemptsMax = 16

  package let directory: Directory

  /// The name in quarantine of the value that a file stands for, or nil where the file is a value itself.
  package static func markedName(_ file: borrowing File, _ status: File.Status) throws(SystemError) -> [UInt8]? {
    guard status.byteCount == 0 else { return nil }
    return try file.attribute(StoreName.markAttribute, bytesMax: nameBytesMax)
  }

  /// Whether a name in quarantine is that of a mark which has not changed places with a value: there is a check at work,
  /// or one was killed.
  package static func isUnusedMark(_ name: String, in directory: borrowing Directory) throws(SystemError) -> Bool {
    guard let status = try directory.status(of: name) else { return true }
    guard status.isRegular, status.byteCount == 0, let file = try directory.openFile(name) else { return false }
    // Nothing comes here without the record that shows its damage. A mark that was just made has no attribute at all.
    return try file.attribute(ValueAttribute.name, bytesMax: ValueAttribute.byteCountMax) == nil
  }

  /// Makes sure that values can be moved here, and takes away what a killed check has left. False where another check
  /// is at work.
  package func claim() throws(SystemError) -> Bool {
    try directory.checkWritable()
    guard try directory.lock() else { return false }
    // What cannot be looked at is let lie: it must not keep any check from its work.
    for name in try directory.names() { dropMark(name) }
    return true
  }

  /// Moves a value's file here and returns its name. Nil where `name` leads to another file by now.
  package func take(
    _ name: String, of key: Key, in source: borrowing Directory, _ file: borrowing File
  ) throws(SystemError) -> String? {
    let inode = try file.status().inode
    // Best effort: the file is worth keeping without its full name too.
    try? file.setAttribute(StoreName.quarantinedKeyAttribute, key.bytes)
    let record = try? file.attribute(ValueAttribute.name, bytesMax: ValueAttribute.byteCountMax)
    let markName = try makeMark(stem: "\(name.prefix(Self.nameCharactersMax)).\(inode)", record: record)
    do throws(SystemError) {
      let isMoved = try source.withExclusiveLock { () throws(SystemError) in
        try exchange(name, in: source, inode: inode, with: markName)
      }
      guard let isMoved else { throw .locked }
      if isMoved { return markName }
    } catch {
      dropMark(markName)
      throw error
    }
    dropMark(markName)
    return nil
  }

  /// Has a value's file and its mark change places. False where the name leads to another file by now.
  private func exchange(
    _ name: String, in source: borrowing Directory, inode: UInt, with markName: String
  ) throws(SystemError) -> Bool {
    guard try source.status(of: name)?.inode == inode else { return false }
    guard try source.exchange(name, with: markName, in: directory) else { throw .absent(call: "renameat2") }
    // A node changes what a name leads to under the same lock, so that the exchange takes what was looked at. Whoever
    // else puts files among the values does not, and gets back what it put there.
    guard let taken = try? directory.status(of: markName), taken.inode != inode else { return true }
    _ = try source.exchange(name, with: markName, in: directory)
    try source.sync()
    try directory.sync()
    return false
  }

  /// Removes a mark that was not used, and nothing else that may lie there under its name. If it stays, the next check
  /// removes it.
  private func dropMark(_ name: String) {
    guard (try? Self.isUnusedMark(name, in: directory)) ?? false else { return }
    _ = try? directory.removeFile(name)
  }

  /// Makes a mark under the name that the value's file is to have here, and returns that. What was recorded of the value
  /// goes along: whoever votes about the key must be able to say what was here, also when the file is removed from here.
  private func makeMark(stem: String, record: [UInt8]?) throws(SystemError) -> String {
    for attempt in 0..<Self.attemptsMax {
      let name = attempt == 0 ? stem : "\(stem).\(attempt)"
      guard try directory.status(of: name) == nil else { continue }
      // The check may run as root, and the node must be able to read the mark.
      let mark = try directory.createFile(name, isReadableByAll: true)
      do throws(SystemError) {
        try mark.setAttribute(StoreName.markAttribute, Array(name.utf8))
        if let record { try mark.setAttribute(StoreName.markedRecordAttribute, record) }
        try mark.sync()
      } catch {
        _ = try? directory.removeFile(name)
        throw error
      }
      return name
    }
    throw .nameTaken(call: "openat")
  }
}
