import Glibc
import KVLinux

/// A directory that goes away with the test.
package final class TemporaryDirectory: Sendable {
  package let path: String

  package init() throws {
    let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var template = Array("\(base)/kvnode-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError(call: "mkdtemp", code: errno) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    if let directory = try? Directory(path: path) { Self.empty(directory) }
    rmdir(path)
  }

  private static func empty(_ directory: borrowing Directory) {
    for name in (try? directory.names()) ?? [] {
      if let inner = (try? directory.directory(name)) ?? nil {
        empty(inner)
        _ = try? directory.removeDirectory(name)
      } else {
        _ = try? directory.removeFile(name)
      }
    }
  }

  /// The paths of all regular files below a directory in here, sorted.
  package func files(in name: String) throws -> [String] {
    var found: [String] = []
    try Self.collect(try Directory(path: "\(path)/\(name)"), prefix: "", into: &found)
    return found.sorted()
  }

  private static func collect(
    _ directory: borrowing Directory, prefix: String, into found: inout [String]
  ) throws {
    for name in try directory.names() {
      if let inner = (try? directory.directory(name)) ?? nil {
        try collect(inner, prefix: prefix + name + "/", into: &found)
      } else {
        found.append(prefix + name)
      }
    }
  }

  /// Writes a file, as somebody other than the store would.
  package func write(_ bytes: [UInt8], to name: String) throws {
    let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw SystemError(call: "open", code: errno) }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw SystemError(call: "write", code: errno)
    }
  }

  /// The bytes of a file.
  package func read(_ name: String) throws -> [UInt8] {
    try File(path: "\(path)/\(name)").contents(bytesMax: 1 << 30)
  }
}
