import KVCore
import KVLinux

/// The directory that damaged values are moved to. docs/value-format.md specifies its names.
///
/// A mark stays in a value's place: an empty file that says where the value went. So a reader is told, and a PUT or DEL
/// of the key replaces or removes the mark as it would the value. Value and mark change places in one step, in which no
/// reader finds neither.
struct Quarantine: ~Copyable, Sendable {
  /// The extended attribute that holds the key of a file in quarantine, for its name may be cut short.
  static let keyAttributeName = "user.kvnode.key"
  /// The extended attribute of a mark: the name in quarantine of the file that it stands for.
  static let markAttributeName = "user.kvnode.damaged"
  private static let nameBytesMax = 255
  private static let nameCharactersMax = 200
  private static let attemptsMax = 16

  let directory: Directory

  /// A mark that has been made. It stays open, so that no other file gets its inode's number meanwhile.
  struct Mark: ~Copyable {
    let name: String
    let file: File
  }

  /// The name in quarantine of the value that a file stands for, or nil where the file is a value itself.
  static func markedName(_ file: borrowing File, _ status: File.Status) throws(SystemError) -> [UInt8]? {
    guard status.byteCount == 0 else { return nil }
    return try file.attribute(markAttributeName, bytesMax: nameBytesMax)
  }

  /// Fails where nothing could be moved here.
  func checkWritable() throws(SystemError) {
    let name = "writable.\(Instant.wallNanoseconds)"
    _ = try directory.createFile(name)
    _ = try directory.removeFile(name)
  }

  /// Moves a value's file here, durably, and returns its name. Nil where `name` leads to another file by now.
  func take(
    _ name: String, of key: Key, in source: borrowing Directory, _ file: borrowing File
  ) throws(SystemError) -> String? {
    let inode = try file.status().inode
    // Best effort: the file is worth keeping without its full name too.
    try? file.setAttribute(Self.keyAttributeName, key.bytes)
    guard try source.status(of: name)?.inode == inode else { return nil }
    let mark = try makeMark(stem: "\(name.prefix(Self.nameCharactersMax)).\(inode)", for: file)
    guard try swap(name, in: source, file, with: mark) else { return nil }
    try directory.sync()
    try source.sync()
    return mark.name
  }

  /// Makes a mark under the name that the value's file is to have here.
  private func makeMark(stem: String, for file: borrowing File) throws(SystemError) -> Mark {
    for attempt in 0..<Self.attemptsMax {
      let name = attempt == 0 ? stem : "\(stem).\(attempt)"
      guard try directory.status(of: name) == nil else { continue }
      let mark = try directory.createFile(name)
      do throws(SystemError) {
        try mark.setAttribute(Self.markAttributeName, Array(name.utf8))
        // The check may run as root, and the node must be able to read the mark.
        try mark.takeOwner(of: file)
        try mark.sync()
      } catch {
        _ = try? directory.removeFile(name)
        throw error
      }
      return Mark(name: name, file: mark)
    }
    throw .nameTaken(call: "openat")
  }

  /// Has value and mark change places. False where the value is gone or another one by now; then the mark is gone too.
  ///
  /// Between the last look and the first exchange another process may have stored the key anew. What came here then is
  /// that value, and it goes back, unless the key was stored or deleted once more, which made it void.
  func swap(
    _ name: String, in source: borrowing Directory, _ file: borrowing File, with mark: borrowing Mark
  ) throws(SystemError) -> Bool {
    let (valueInode, markInode) = (try file.status().inode, try mark.file.status().inode)
    for attempt in 0..<Self.attemptsMax {
      do throws(SystemError) {
        guard try source.exchange(name, with: mark.name, in: directory) else { break }
      } catch {
        if attempt == 0 { _ = try? directory.removeFile(mark.name) }
        throw error
      }
      guard let here = try directory.status(of: mark.name) else { return false }
      if here.inode == valueInode { return true }
      if here.inode == markInode { break }
      guard let there = try source.status(of: name), there.inode != markInode else { continue }
      if there.modifiedAtNanoseconds >= here.modifiedAtNanoseconds { break }
    }
    _ = try directory.removeFile(mark.name)
    try source.sync()
    return false
  }
}
