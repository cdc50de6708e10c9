import KVLinux

/// A download that is not complete: `FILE.part`, with the entity tag of the value it is a part of as an extended
/// attribute. It becomes FILE once it is whole and verified.
struct PartialFile: ~Copyable {
  /// Holds the tag as the node wrote it. A file without it cannot be gone on with, and is begun anew.
  static let attributeName = "user.kvctl.etag"
  private static let attributeBytesMax = 64
  private static let openAttemptsMax = 16

  /// How many bytes it has.
  private(set) var byteCount = 0
  /// Where it lies.
  let path: String
  private let finalPath: String
  private let file: File
  private let directory: Directory
  private let name: FileName
  private let finalName: FileName

  /// Opens the partial file of a download to `finalPath`, or makes it. Only one process at a time has it.
  static func open(for finalPath: String) throws(CommandError) -> PartialFile {
    let slash = finalPath.lastIndex(of: "/")
    let directoryPath = slash.map { $0 == finalPath.startIndex ? "/" : String(finalPath[..<$0]) } ?? "."
    let last = Array(finalPath[(slash.map { finalPath.index(after: $0) } ?? finalPath.startIndex)...].utf8)
    guard let finalName = FileName(last), let name = FileName(last + Array(".part".utf8)) else {
      throw CommandError(.failure, "\(finalPath).part: File name too long")
    }
    let directory = try CommandError.naming(finalPath) { () throws(SystemError) in try Directory(path: directoryPath) }
    return try open(name, for: finalName, in: directory, path: finalPath + ".part", finalPath: finalPath)
  }

  /// Opens the partial file of a download to a name in a directory, or makes it. The paths are for messages.
  static func open(
    _ name: FileName, for finalName: FileName, in directory: consuming Directory, path: String, finalPath: String
  ) throws(CommandError) -> PartialFile {
    for _ in 0..<openAttemptsMax {
      if let file = try lock(name, in: directory, path: path) {
        return PartialFile(
          path: path, finalPath: finalPath, file: file, directory: directory, name: name, finalName: finalName)
      }
    }
    throw CommandError(.failure, "\(path): something renames it again and again")
  }

  /// Opens the file and locks it; nil where another kvctl has completed and renamed it before the lock was ours.
  private static func lock(
    _ name: FileName, in directory: borrowing Directory, path: String
  ) throws(CommandError) -> File? {
    do throws(SystemError) {
      let file = try directory.writableFile(name)
      guard try file.lock() else { throw SystemError.locked }
      let status = try file.status()
      guard status.isRegular else { throw SystemError.nameTaken(call: "openat") }
      guard status.inode == (try directory.status(of: name))?.inode else { return nil }
      return consume file
    } catch {
      let reason = error == .locked ? "another kvctl is downloading to it" : error.reason
      throw CommandError(.failure, "\(path): \(reason)")
    }
  }

  /// Takes the bytes that are there into the checksum and returns the tag of the value that they are a part of, or
  /// nil where there is nothing to go on with.
  mutating func resume(
    updating checksum: borrowing Checksum, _ progress: ProgressBar
  ) throws(CommandError) -> EntityTag? {
    let (status, tag) = try CommandError.naming(path) { () throws(SystemError) in
      (try file.status(), try file.attribute(Self.attributeName, bytesMax: Self.attributeBytesMax))
    }
    guard status.byteCount > 0,
      let tag = tag.flatMap({ EntityTag(argument: String(decoding: $0, as: UTF8.self)) })
    else {
      try restart(entityTag: nil)
      return nil
    }
    progress.begin("checking \(path)", totalBytes: status.byteCount)
    try read(status.byteCount, into: checksum, progress)
    return tag
  }

  private mutating func read(
    _ totalBytes: Int, into checksum: borrowing Checksum, _ progress: ProgressBar
  ) throws(CommandError) {
    while byteCount < totalBytes {
      let offset = byteCount
      let count = try CommandError.naming(path) { () throws(SystemError) in
        try ThreadBuffer.withBytes { bytes throws(SystemError) in
          let count = min(try file.read(into: &bytes, at: offset), totalBytes - offset)
          checksum.update(bytes.bytes.extracting(first: count))
          return count
        }
      }
      guard count > 0 else { throw CommandError(.failure, "\(path): it became shorter while it was read") }
      byteCount += count
      progress.moved(count)
    }
  }

  /// Begins anew, with the bytes of the value with that tag.
  mutating func restart(entityTag: EntityTag?) throws(CommandError) {
    try CommandError.naming(path) { () throws(SystemError) in
      try file.removeAttribute(Self.attributeName)
      try file.truncate(byteCount: 0)
    }
    byteCount = 0
    // A file system without attributes costs the resuming and not the download.
    if let entityTag { try? file.setAttribute(Self.attributeName, Array("\(entityTag)".utf8)) }
  }

  /// Adds bytes at the end.
  mutating func append(_ bytes: RawSpan) throws(CommandError) {
    let offset = byteCount
    try CommandError.naming(path) { () throws(SystemError) in try file.write(bytes, at: offset) }
    byteCount += bytes.byteCount
  }

  /// Makes it the file that was asked for.
  consuming func complete() throws(CommandError) {
    do throws(SystemError) {
      try directory.rename(name, to: finalName)
    } catch {
      throw CommandError(.failure, "\(finalPath): \(error.reason)")
    }
    try? file.removeAttribute(Self.attributeName)
  }

  /// Leaves what is there to be gone on with, and no empty file.
  consuming func abandon() {
    if byteCount == 0 { try? directory.remove(name) }
  }

  /// Leaves it as it is, and lets nobody go on with it: its bytes are not the value's.
  consuming func distrust() {
    try? file.removeAttribute(Self.attributeName)
  }
}

/// Where a value goes.
enum Destination: Equatable {
  /// Standard output (`-`), a device or a FIFO: written as the bytes come.
  case stream(String)
  /// A regular file, there or not, with symbolic links followed.
  case file(String)

  init(_ path: String) throws(CommandError) {
    guard path != "-" else {
      self = .stream(path)
      return
    }
    guard let status = try CommandError.naming(path, { () throws(SystemError) in try File.status(ofPath: path) }) else {
      self = .file(path)
      return
    }
    guard !status.isDirectory else { throw CommandError(.failure, "\(path): Is a directory") }
    self = status.isRegular ? .file(Process.resolvedPath(path) ?? path) : .stream(path)
  }
}
