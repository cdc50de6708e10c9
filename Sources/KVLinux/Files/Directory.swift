import CLinux
import Glibc

/// An open directory. Every name given to it is one component: no path of a client's making is ever resolved,
/// and no symbolic link followed (O_NOFOLLOW).
package struct Directory: ~Copyable, Sendable {
  let descriptor: FileDescriptor

  private static let lockNapMicroseconds: UInt32 = 1000
  private static let lockNapsMax = 1000

  /// What statvfs(3) tells of a file system, in bytes.
  package struct Space: Equatable, Sendable {
    /// What an unprivileged process may still use.
    package let freeBytes: Int
    /// The size of the file system.
    package let totalBytes: Int

    /// A file system of that size.
    package init(freeBytes: Int, totalBytes: Int) {
      self.freeBytes = freeBytes
      self.totalBytes = totalBytes
    }
  }

  /// Opens a directory by its path, as an administrator configured it; makes it first, durably, where asked.
  package init(path: String, making: Bool = false) throws(SystemError) {
    let isMade = making ? try Self.make(path) : false
    let opened = FileDescriptor(
      owning: try systemCall("open") { clinux_open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0) })
    if isMade { try Self.syncParent(of: opened) }
    descriptor = opened
  }

  /// Makes a directory; false where it is there already.
  private static func make(_ path: String) throws(SystemError) -> Bool {
    do throws(SystemError) {
      _ = try systemCall("mkdir") { mkdir(path, 0o750) }
      return true
    } catch  where error.code == EEXIST {
      return false
    }
  }

  private static func syncParent(of descriptor: borrowing FileDescriptor) throws(SystemError) {
    let number = try systemCall("openat") {
      clinux_open_at(descriptor.number, "..", O_RDONLY | O_DIRECTORY, 0)
    }
    try Directory(owning: FileDescriptor(owning: number)).sync()
  }

  init(owning descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

  /// Opens a directory in this one, or nil where there is none of that name.
  package func directory(_ name: String) throws(SystemError) -> Directory? {
    let number = try unlessAbsent { () throws(SystemError) in
      try systemCall("openat") {
        clinux_open_at(descriptor.number, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
      }
    }
    guard let number else { return nil }
    return Directory(owning: FileDescriptor(owning: number))
  }

  /// Makes a directory here; false where it is there already.
  package func makeDirectory(_ name: String) throws(SystemError) -> Bool {
    do throws(SystemError) {
      _ = try systemCall("mkdirat") { mkdirat(descriptor.number, name, 0o750) }
      return true
    } catch  where error.code == EEXIST {
      return false
    }
  }

  /// Opens a directory here, after making it where it is missing.
  package func makeAndOpen(_ name: String) throws(SystemError) -> Directory {
    if let directory = try directory(name) { return directory }
    _ = try makeDirectory(name)
    guard let directory = try directory(name) else { throw SystemError(call: "openat", code: ENOENT) }
    return directory
  }

  /// Makes a new file, for writing; one that everybody may read who gets to it, if so said, whatever umask(2) says.
  package func createFile(_ name: String, isReadableByAll: Bool = false) throws(SystemError) -> File {
    let mode: mode_t = isReadableByAll ? 0o644 : 0o640
    let number = try systemCall("openat") {
      clinux_open_at(descriptor.number, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    }
    let file = File(owning: FileDescriptor(owning: number))
    if isReadableByAll { _ = try systemCall("fchmod") { fchmod(number, mode) } }
    return file
  }

  /// Opens a file for reading, or nil where there is none. Never blocks on a FIFO.
  package func openFile(_ name: String) throws(SystemError) -> File? {
    let number = try unlessAbsent { () throws(SystemError) in
      try systemCall("openat") {
        clinux_open_at(descriptor.number, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)
      }
    }
    guard let number else { return nil }
    return File(owning: FileDescriptor(owning: number))
  }

  /// The bytes of a small file, or nil where there is none; what is beyond the limit is left out.
  package func contents(of name: String, bytesMax: Int) throws(SystemError) -> [UInt8]? {
    guard let file = try openFile(name) else { return nil }
    return try file.contents(bytesMax: bytesMax)
  }

  /// Writes a small file anew, durably, first under another name: a crash leaves the old one or the new one, whole.
  package func replaceFile(_ name: String, by newName: String, _ bytes: [UInt8]) throws(SystemError) {
    _ = try removeFile(newName)
    let file = try createFile(newName)
    try bytes.withBytes { bytes throws(SystemError) in try file.write(bytes, at: 0) }
    try file.sync()
    try rename(newName, to: name, in: self)
    try sync()
  }

  /// What looking for a file without the disk comes to.
  package enum CachedLookup: ~Copyable {
    case found(File)
    /// The kernel knows that there is none.
    case absent
    /// The kernel does not know every name on the way to it, or it cannot be opened so.
    case unknown
  }

  /// Opens a file for reading if that takes no disk (openat2(2), RESOLVE_CACHED).
  ///
  /// The names are joined here to save system calls; none of them can leave this directory or be a symbolic link.
  package func lookUpCached(_ names: [String]) -> CachedLookup {
    do throws(SystemError) {
      let number = try systemCall("openat2") { clinux_open_cached(descriptor.number, names.joined(separator: "/")) }
      return .found(File(owning: FileDescriptor(owning: number)))
    } catch {
      return error.isAbsent ? .absent : .unknown
    }
  }

  /// The file, where it is found so.
  package func openCachedFile(_ names: [String]) -> File? {
    switch lookUpCached(names) {
    case .found(let file): file
    case .absent: nil
    case .unknown: nil
    }
  }

  /// Moves a file to a name in another directory of the same file system, replacing what is there, at once.
  package func rename(_ name: String, to newName: String, in other: borrowing Directory) throws(SystemError) {
    _ = try systemCall("renameat") {
      renameat(descriptor.number, name, other.descriptor.number, newName)
    }
  }

  /// Has two files of the same file system change places, at once; false where either is missing (RENAME_EXCHANGE,
  /// rename(2)).
  package func exchange(
    _ name: String, with otherName: String, in other: borrowing Directory
  ) throws(SystemError) -> Bool {
    try unlessAbsent { () throws(SystemError) in
      try systemCall("renameat2") {
        clinux_exchange(descriptor.number, name, other.descriptor.number, otherName)
      }
    } != nil
  }

  /// What there is of that name, a symbolic link not followed, or nil (fstatat(2)).
  package func status(of name: String) throws(SystemError) -> File.Status? {
    var status = stat()
    let result = try unlessAbsent { () throws(SystemError) in
      try systemCall("fstatat") { fstatat(descriptor.number, name, &status, AT_SYMLINK_NOFOLLOW) }
    }
    return result.map { _ in File.Status(status) }
  }

  /// Removes a file; false where there is none.
  package func removeFile(_ name: String) throws(SystemError) -> Bool {
    try unlessAbsent { () throws(SystemError) in
      try systemCall("unlinkat") { unlinkat(descriptor.number, name, 0) }
    } != nil
  }

  /// Removes an empty directory; false where it is not there or not empty.
  package func removeDirectory(_ name: String) throws(SystemError) -> Bool {
    do throws(SystemError) {
      return try unlessAbsent { () throws(SystemError) in
        try systemCall("unlinkat") { unlinkat(descriptor.number, name, AT_REMOVEDIR) }
      } != nil
    } catch  where error.code == ENOTEMPTY || error.code == EEXIST {
      return false
    }
  }

  /// Makes the directory's entries durable (fsync(2)).
  package func sync() throws(SystemError) { _ = try systemCall("fsync") { fsync(descriptor.number) } }

  /// Takes a lock that ends with the process, or says that another process holds it (flock(2)).
  package func lock() throws(SystemError) -> Bool { try tryLock(LOCK_EX) }

  /// Runs a call while nobody else runs one under `withExclusiveLock` of the directory, in whatever process (flock(2)).
  ///
  /// Where somebody does, it is waited for, a second at most, or not at all; then nothing is called, and nil returned.
  package func withSharedLock<Result>(
    waiting: Bool, _ call: () throws(SystemError) -> Result
  ) throws(SystemError) -> Result? {
    try withLock(LOCK_SH, napsMax: waiting ? Self.lockNapsMax : 0, call)
  }

  /// Runs a call while nobody else runs one under a lock of the directory, in whatever process (flock(2)).
  ///
  /// Where somebody does, it is waited for, a second at most; then nothing is called, and nil returned.
  package func withExclusiveLock<Result>(_ call: () throws(SystemError) -> Result) throws(SystemError) -> Result? {
    try withLock(LOCK_EX, napsMax: Self.lockNapsMax, call)
  }

  private func withLock<Result>(
    _ operation: CInt, napsMax: Int, _ call: () throws(SystemError) -> Result
  ) throws(SystemError) -> Result? {
    var naps = 0
    while try !tryLock(operation) {
      guard naps < napsMax else { return nil }
      usleep(Self.lockNapMicroseconds)
      naps += 1
    }
    // Unlocking has no reason to fail, and closing the directory would do it too.
    defer { flock(descriptor.number, LOCK_UN) }
    return try call()
  }

  private func tryLock(_ operation: CInt) throws(SystemError) -> Bool {
    do throws(SystemError) {
      _ = try systemCall("flock") { flock(descriptor.number, operation | LOCK_NB) }
      return true
    } catch  where error.code == EWOULDBLOCK {
      return false
    }
  }

  /// Fails where this process may not make or remove names in the directory (faccessat(2)).
  package func checkWritable() throws(SystemError) {
    _ = try systemCall("faccessat") { faccessat(descriptor.number, ".", W_OK | X_OK, AT_EACCESS) }
  }

  /// The names in the directory, in no order, without `.` and `..`.
  package func names() throws(SystemError) -> [String] {
    let number = try systemCall("openat") {
      clinux_open_at(descriptor.number, ".", O_RDONLY | O_DIRECTORY, 0)
    }
    guard let stream = fdopendir(number) else {
      let error = SystemError(call: "fdopendir", code: errno)
      close(number)
      throw error
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      // Nothing else tells an error from the end (readdir(3)).
      errno = 0
      guard let entry = readdir(stream) else { break }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    let code = errno
    if code != 0 { throw SystemError(call: "readdir", code: code) }
    return names
  }

  /// The space of the file system.
  package func space() throws(SystemError) -> Space {
    var status = statvfs()
    _ = try systemCall("fstatvfs") { fstatvfs(descriptor.number, &status) }
    let unit = Int(status.f_frsize)
    return Space(freeBytes: Int(status.f_bavail) * unit, totalBytes: Int(status.f_blocks) * unit)
  }

  private func unlessAbsent(_ call: () throws(SystemError) -> CInt) throws(SystemError) -> CInt? {
    do throws(SystemError) {
      return try call()
    } catch  where error.code == ENOENT {
      return nil
    }
  }
}
