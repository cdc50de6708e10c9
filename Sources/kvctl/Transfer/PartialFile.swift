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

  private init(_ file: consuming File, path: String, finalPath: String) {
    self.file = file
    self.path = path
    self.finalPath = finalPath
  }

  /// Opens the partial file of a download to `finalPath`, or makes it. Only one process at a time has it.
  static func open(for finalPath: String) throws(CommandError) -> PartialFile {
    let path = finalPath + ".part"
    for _ in 0..<openAttemptsMax {
      let file = try CommandError.naming(path) { () throws(SystemError) in try File(writingPath: path) }
      guard try CommandError.naming(path, { () throws(SystemError) in try file.lock() }) else {
        throw CommandError(.failure, "\(path): another kvctl is downloading to it")
      }
      let status = try CommandError.naming(path) { () throws(SystemError) in try file.status() }
      let current = try CommandError.naming(path) { () throws(SystemError) in try File.status(ofPath: path) }
      // Another kvctl may have completed and renamed it before the lock was ours.
      if status.inode == current?.inode { return PartialFile(file, path: path, finalPath: finalPath) }
    }
    throw CommandError(.failure, "\(path): it is renamed all the time")
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
    let (path, finalPath) = (path, finalPath)
    try CommandError.naming(finalPath) { () throws(SystemError) in try Process.rename(path, to: finalPath) }
    try? file.removeAttribute(Self.attributeName)
  }

  /// Leaves what is there to be gone on with, and no empty file.
  consuming func abandon() {
    if byteCount == 0 { try? Process.remove(path) }
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
