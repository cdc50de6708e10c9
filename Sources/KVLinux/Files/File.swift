import CLinux
import Glibc

/// An open regular file.
package struct File: ~Copyable, Sendable {
  let descriptor: FileDescriptor

  init(owning descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

  /// Opens a file for reading by its path, as an administrator named it.
  ///
  /// `waiting` makes a FIFO wait for its writers, as cat(1) does; without it, nothing blocks.
  package init(path: String, waiting: Bool = false) throws(SystemError) {
    let flags = waiting ? O_RDONLY : O_RDONLY | O_NONBLOCK
    descriptor = FileDescriptor(owning: try systemCall("open") { clinux_open_at(AT_FDCWD, path, flags, 0) })
  }

  /// Opens a file for reading and writing by its path, as a user named it; makes it first where it is missing.
  package init(writingPath path: String) throws(SystemError) {
    descriptor = FileDescriptor(
      owning: try systemCall("open") { clinux_open_at(AT_FDCWD, path, O_RDWR | O_CREAT, 0o666) })
  }

  /// Makes a file that only its owner may read and write; fails where there is one of that name.
  package init(newPrivatePath path: String) throws(SystemError) {
    descriptor = FileDescriptor(
      owning: try systemCall("open") { clinux_open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0o600) })
  }

  /// Opens what is there for writing by its path, a device or a FIFO; makes nothing and cuts nothing off.
  package init(outputPath path: String) throws(SystemError) {
    descriptor = FileDescriptor(
      owning: try systemCall("open") { clinux_open_at(AT_FDCWD, path, O_WRONLY | O_NOCTTY, 0) })
  }

  /// What stat(2) tells of a file.
  package struct Status: Equatable, Sendable {
    /// The size in bytes.
    package let byteCount: Int
    /// The last change of the content, in nanoseconds since 1970.
    package let modifiedAtNanoseconds: Int64
    /// Whether it is a regular file.
    package let isRegular: Bool
    /// Whether it is a directory.
    package let isDirectory: Bool
    /// The file system's number for it.
    package let inode: UInt
    /// When its bytes, or what is known of them, last changed; nobody can set it.
    package let changedAtNanoseconds: Int64
    /// Who may do what with it.
    fileprivate let mode: mode_t

    /// Whether the owner's group, or anybody, may write to it.
    package var isWritableByOthers: Bool { mode & (S_IWGRP | S_IWOTH) != 0 }
    /// Whether anybody who is neither the owner nor of its group may read it.
    package var isReadableByAll: Bool { mode & S_IROTH != 0 }
    /// Whether the owner's group, or anybody, may read or write it.
    package var isOpenToOthers: Bool { mode & (S_IRWXG | S_IRWXO) != 0 }
  }

  /// Writes all the bytes at the offset.
  package func write(_ bytes: RawSpan, at offset: Int) throws(SystemError) {
    try bytes.withUnsafeBytes { buffer throws(SystemError) in
      var written = 0
      while written < buffer.count {
        written += try systemCall("pwrite") {
          pwrite(
            descriptor.number, buffer.baseAddress?.advanced(by: written), buffer.count - written,
            off_t(offset) + off_t(written))
        }
      }
    }
  }

  /// Reads bytes at the offset into the buffer, at most so many; 0 at the end of the file.
  package func read(
    into bytes: inout MutableRawSpan, at offset: Int, bytesMax: Int = .max
  ) throws(SystemError) -> Int {
    try bytes.withUnsafeMutableBytes { buffer throws(SystemError) in
      try systemCall("pread") {
        pread(descriptor.number, buffer.baseAddress, min(buffer.count, bytesMax), off_t(offset))
      }
    }
  }

  /// The file's bytes; what is beyond the limit is left out.
  package func contents(bytesMax: Int) throws(SystemError) -> [UInt8] {
    var contents: [UInt8] = []
    while contents.count < bytesMax {
      let count = try ThreadBuffer.withBytes { bytes throws(SystemError) in
        let count = min(try read(into: &bytes, at: contents.count), bytesMax - contents.count)
        contents.append(copying: bytes.bytes.extracting(first: count))
        return count
      }
      if count == 0 { break }
    }
    return contents
  }

  /// The bytes at the offsets if the page cache has all of them, else nil (preadv2(2), RWF_NOWAIT). To be asked for
  /// no more than a thread buffer holds.
  package func cachedBytes(_ offsets: Range<Int>) -> [UInt8]? {
    if offsets.isEmpty { return [] }
    return ThreadBuffer.withBytes { bytes in
      let count = bytes.withUnsafeMutableBytes { buffer in
        clinux_read_cached(
          descriptor.number, buffer.baseAddress, min(buffer.count, offsets.count), off_t(offsets.lowerBound))
      }
      return count == offsets.count ? [UInt8](copying: bytes.bytes.extracting(first: count)) : nil
    }
  }

  /// Reserves disk space for so many bytes, so that a full disk is found out first (fallocate(2)).
  ///
  /// False where the file system cannot.
  package func preallocate(byteCount: Int) throws(SystemError) -> Bool {
    do throws(SystemError) {
      _ = try systemCall("fallocate") { clinux_fallocate(descriptor.number, off_t(byteCount)) }
      return true
    } catch  where error.code == EOPNOTSUPP {
      return false
    }
  }

  /// Starts writing a range back to the disk without waiting, so that the sync at the end is short (sync_file_range(2)).
  ///
  /// Where the file system cannot, that sync does all the work; so nothing is reported.
  package func startWriteBack(offset: Int, byteCount: Int) {
    _ = clinux_sync_file_range(descriptor.number, off_t(offset), off_t(byteCount))
  }

  /// Makes content and attributes durable (fsync(2)). After an error, what is on the disk is unknown for good.
  package func sync() throws(SystemError) { _ = try systemCall("fsync") { fsync(descriptor.number) } }

  /// Cuts the file off after so many bytes (ftruncate(2)).
  package func truncate(byteCount: Int) throws(SystemError) {
    _ = try systemCall("ftruncate") { ftruncate(descriptor.number, off_t(byteCount)) }
  }

  /// Takes a lock that ends with this file, and waits for whoever has it.
  package func waitForLock() throws(SystemError) {
    _ = try systemCall("flock") { flock(descriptor.number, LOCK_EX) }
  }

  /// Takes a lock that ends with the process, or says that another process holds it (flock(2)).
  package func lock() throws(SystemError) -> Bool {
    do throws(SystemError) {
      _ = try systemCall("flock") { flock(descriptor.number, LOCK_EX | LOCK_NB) }
      return true
    } catch  where error.code == EWOULDBLOCK {
      return false
    }
  }

  /// Drops what the kernel holds of the file in memory, so that the next read is of the disk (posix_fadvise(2)).
  ///
  /// What is not written back yet stays; the call is advice, so nothing is reported.
  package func dropCached() { _ = posix_fadvise(descriptor.number, 0, 0, POSIX_FADV_DONTNEED) }

  /// `dropCached` of a part of the file.
  package func dropCached(_ offsets: Range<Int>) {
    _ = posix_fadvise(descriptor.number, off_t(offsets.lowerBound), off_t(offsets.count), POSIX_FADV_DONTNEED)
  }

  /// Has the kernel read further ahead, for a file that is read from front to back (posix_fadvise(2)).
  package func expectSequentialReading() { _ = posix_fadvise(descriptor.number, 0, 0, POSIX_FADV_SEQUENTIAL) }

  /// The file's size, time and kind.
  package func status() throws(SystemError) -> Status {
    var status = stat()
    _ = try systemCall("fstat") { fstat(descriptor.number, &status) }
    return Status(status)
  }

  /// What is at a path, symbolic links followed, or nil where there is nothing (stat(2)).
  package static func status(ofPath path: String) throws(SystemError) -> Status? {
    var status = stat()
    do throws(SystemError) {
      _ = try systemCall("stat") { stat(path, &status) }
    } catch  where error.isAbsent {
      return nil
    }
    return Status(status)
  }

  /// Removes an extended attribute, if the file has it (fremovexattr(2)).
  package func removeAttribute(_ name: String) throws(SystemError) {
    do throws(SystemError) {
      _ = try systemCall("fremovexattr") { clinux_remove_attribute(descriptor.number, name) }
    } catch  where error.code == ENODATA || error.code == EOPNOTSUPP {
    }
  }

  /// Sets an extended attribute (fsetxattr(2)).
  package func setAttribute(_ name: String, _ value: [UInt8]) throws(SystemError) {
    _ = try systemCall("fsetxattr") { clinux_set_attribute(descriptor.number, name, value, value.count) }
  }

  /// An extended attribute of at most so many bytes, or nil where the file has none of that name.
  package func attribute(_ name: String, bytesMax: Int) throws(SystemError) -> [UInt8]? {
    // Nearly all are short, and most are absent.
    for capacity in [min(bytesMax, Self.shortAttributeBytes), bytesMax] {
      var value = [UInt8](repeating: 0, count: capacity)
      do throws(SystemError) {
        let count = try systemCall("fgetxattr") { clinux_get_attribute(descriptor.number, name, &value, value.count) }
        return Array(value.prefix(count))
      } catch  where error.code == ENODATA || error.code == EOPNOTSUPP {
        return nil
      } catch  where error.code == ERANGE {
        continue
      }
    }
    return nil
  }

  private static let shortAttributeBytes = 128
}

extension File.Status {
  init(_ status: stat) {
    byteCount = Int(status.st_size)
    // A time that 64 bits of nanoseconds cannot hold, which anyone may give a file, becomes the last that they can.
    let (nanoseconds, isBeyond) = Int64(status.st_mtim.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    modifiedAtNanoseconds =
      isBeyond || nanoseconds > .max - 1_000_000_000 ? .max : nanoseconds + Int64(status.st_mtim.tv_nsec)
    isRegular = status.st_mode & S_IFMT == S_IFREG
    isDirectory = status.st_mode & S_IFMT == S_IFDIR
    inode = UInt(status.st_ino)
    mode = status.st_mode
    changedAtNanoseconds = Int64(status.st_ctim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_ctim.tv_nsec)
  }
}

/// Files, pipes and terminals that are read and written from front to back, at the place where the last call
/// left off.
extension File {
  /// This process's standard input.
  package static func standardInput() throws(SystemError) -> File { try duplicate(STDIN_FILENO) }

  /// This process's standard output.
  package static func standardOutput() throws(SystemError) -> File { try duplicate(STDOUT_FILENO) }

  private static func duplicate(_ number: CInt) throws(SystemError) -> File {
    File(owning: FileDescriptor(owning: try systemCall("fcntl") { clinux_duplicate(number) }))
  }

  /// How many bytes lie before the place, or nil for a pipe or a terminal (lseek(2)).
  package func place() -> Int? {
    let offset = lseek(descriptor.number, 0, SEEK_CUR)
    return offset >= 0 ? Int(offset) : nil
  }

  /// Reads the next bytes into the buffer, at most so many; 0 at the end. Blocks until some come.
  package func readNext(into bytes: inout MutableRawSpan, bytesMax: Int = .max) throws(SystemError) -> Int {
    try bytes.withUnsafeMutableBytes { buffer throws(SystemError) in
      try whenReady(POLLIN) { () throws(SystemError) in
        try systemCall("read") { Glibc.read(descriptor.number, buffer.baseAddress, min(buffer.count, bytesMax)) }
      }
    }
  }

  /// Writes all the bytes. Blocks until there is room.
  package func writeNext(_ bytes: RawSpan) throws(SystemError) {
    try bytes.withUnsafeBytes { buffer throws(SystemError) in
      var written = 0
      while written < buffer.count {
        written += try whenReady(POLLOUT) { () throws(SystemError) in
          try systemCall("write") {
            Glibc.write(descriptor.number, buffer.baseAddress?.advanced(by: written), buffer.count - written)
          }
        }
      }
    }
  }

  /// Whoever shares the descriptor with us may have made it non-blocking: then the blocking is done here.
  private func whenReady(_ events: CInt, _ call: () throws(SystemError) -> Int) throws(SystemError) -> Int {
    while true {
      do throws(SystemError) {
        return try call()
      } catch  where error.code == EAGAIN {
        var entry = pollfd(fd: descriptor.number, events: Int16(events), revents: 0)
        _ = try systemCall("poll") { poll(&entry, 1, -1) }
      }
    }
  }
}
