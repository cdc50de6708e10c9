import CLinux
import Glibc

/// The name of something in a directory, of any bytes that Linux takes for one: it can name nothing outside.
package struct FileName: Hashable, Sendable, CustomStringConvertible {
  /// NAME_MAX.
  package static let bytesMax = 255

  /// The name's bytes.
  package let bytes: [UInt8]

  /// Nil for what is no name: nothing, `.`, `..`, more than 255 bytes, or a slash or a NUL among them.
  package init?(_ bytes: some Collection<UInt8>) {
    guard (1...Self.bytesMax).contains(bytes.count), !bytes.contains(0), !bytes.contains(UInt8(ascii: "/")),
      !bytes.elementsEqual(".".utf8), !bytes.elementsEqual("..".utf8)
    else { return nil }
    self.bytes = Array(bytes)
  }

  /// The name as text, for messages.
  package var description: String { String(decoding: bytes, as: UTF8.self) }

  var terminated: [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }
}

/// A tree of directories, in which no symbolic link is followed (O_NOFOLLOW).
extension Directory {
  /// What a directory has under a name.
  package struct Entry: Sendable {
    package enum Kind: Sendable { case file, directory, symbolicLink, other }

    package let name: FileName
    package let kind: Kind
  }

  /// What is in the directory, in no order.
  package func entries() throws(SystemError) -> [Entry] {
    let number = try systemCall("openat") { clinux_open_at(descriptor.number, ".", O_RDONLY | O_DIRECTORY, 0) }
    guard let stream = fdopendir(number) else {
      let error = SystemError(call: "fdopendir", code: errno)
      close(number)
      throw error
    }
    defer { closedir(stream) }
    var entries: [Entry] = []
    while true {
      // Nothing else tells an error from the end (readdir(3)).
      errno = 0
      guard let entry = readdir(stream) else { break }
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      guard let name = FileName(bytes) else { continue }
      entries.append(Entry(name: name, kind: try kind(name, told: CInt(entry.pointee.d_type))))
    }
    let code = errno
    if code != 0 { throw SystemError(call: "readdir", code: code) }
    return entries
  }

  private func kind(_ name: FileName, told: CInt) throws(SystemError) -> Entry.Kind {
    switch told {
    case CInt(DT_REG): return .file
    case CInt(DT_DIR): return .directory
    case CInt(DT_LNK): return .symbolicLink
    case CInt(DT_UNKNOWN):
      // Some file systems do not tell.
      var status = stat()
      _ = try systemCall("fstatat") { fstatat(descriptor.number, name.terminated, &status, AT_SYMLINK_NOFOLLOW) }
      switch status.st_mode & S_IFMT {
      case S_IFREG: return .file
      case S_IFDIR: return .directory
      case S_IFLNK: return .symbolicLink
      default: return .other
      }
    default: return .other
    }
  }

  /// Opens the directory that the names lead to, one within the other, and makes those that are missing where asked.
  package func descend(_ names: some Collection<FileName>, making: Bool = false) throws(SystemError) -> Directory {
    var current = try reopened()
    for name in names {
      if making {
        do throws(SystemError) {
          _ = try systemCall("mkdirat") { mkdirat(current.descriptor.number, name.terminated, 0o777) }
        } catch  where error.code == EEXIST {
        }
      }
      current = try current.open(name)
    }
    return current
  }

  private func open(_ name: FileName) throws(SystemError) -> Directory {
    let number = try systemCall("openat") {
      clinux_open_at(descriptor.number, name.terminated, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
    }
    return Directory(owning: FileDescriptor(owning: number))
  }

  private func reopened() throws(SystemError) -> Directory {
    let number = try systemCall("openat") { clinux_open_at(descriptor.number, ".", O_RDONLY | O_DIRECTORY, 0) }
    return Directory(owning: FileDescriptor(owning: number))
  }

  /// Opens a file for reading; never waits for the other end of a FIFO.
  package func file(_ name: FileName) throws(SystemError) -> File {
    let number = try systemCall("openat") {
      clinux_open_at(descriptor.number, name.terminated, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0)
    }
    return File(owning: FileDescriptor(owning: number))
  }

  /// Opens a file for reading and writing; makes it first where it is missing.
  package func writableFile(_ name: FileName) throws(SystemError) -> File {
    let number = try systemCall("openat") {
      clinux_open_at(
        descriptor.number, name.terminated, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0o666)
    }
    return File(owning: FileDescriptor(owning: number))
  }

  /// What there is of that name, a symbolic link not followed, or nil.
  package func status(of name: FileName) throws(SystemError) -> File.Status? {
    var status = stat()
    do throws(SystemError) {
      _ = try systemCall("fstatat") { fstatat(descriptor.number, name.terminated, &status, AT_SYMLINK_NOFOLLOW) }
    } catch  where error.isAbsent {
      return nil
    }
    return File.Status(status)
  }

  /// Gives a file another name here, replacing what has it, at once.
  package func rename(_ name: FileName, to newName: FileName) throws(SystemError) {
    _ = try systemCall("renameat") {
      renameat(descriptor.number, name.terminated, descriptor.number, newName.terminated)
    }
  }

  /// Removes a file.
  package func remove(_ name: FileName) throws(SystemError) {
    _ = try systemCall("unlinkat") { unlinkat(descriptor.number, name.terminated, 0) }
  }
}
