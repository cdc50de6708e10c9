import KVLinux

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
