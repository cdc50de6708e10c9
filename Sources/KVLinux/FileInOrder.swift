import CLinux
import Glibc

/// Files, pipes and terminals that are read and written from front to back, at the place where the last call
/// left off.
extension File {
  /// This process's standard input.
  public static func standardInput() throws(SystemError) -> File { try duplicate(STDIN_FILENO) }

  /// This process's standard output.
  public static func standardOutput() throws(SystemError) -> File { try duplicate(STDOUT_FILENO) }

  private static func duplicate(_ number: CInt) throws(SystemError) -> File {
    File(owning: Descriptor(owning: try systemCall("fcntl") { clinux_duplicate(number) }))
  }

  /// How many bytes lie before the place, or nil for a pipe or a terminal (lseek(2)).
  public func place() -> Int? {
    let offset = lseek(descriptor.number, 0, SEEK_CUR)
    return offset >= 0 ? Int(offset) : nil
  }

  /// Reads the next bytes into the buffer, at most so many; 0 at the end. Blocks until some come.
  public func readNext(into bytes: inout MutableRawSpan, bytesMax: Int = .max) throws(SystemError) -> Int {
    try bytes.withUnsafeMutableBytes { buffer throws(SystemError) in
      try whenReady(POLLIN) { () throws(SystemError) in
        try systemCall("read") { Glibc.read(descriptor.number, buffer.baseAddress, min(buffer.count, bytesMax)) }
      }
    }
  }

  /// Writes all the bytes. Blocks until there is room.
  public func writeNext(_ bytes: RawSpan) throws(SystemError) {
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
