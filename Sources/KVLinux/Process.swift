import CLinux
import Glibc

/// Facts about this process and its host.
public enum Process {
  /// The host's name (gethostname(2)).
  public static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// How many processors this process may use.
  public static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// The machine's memory in bytes.
  public static let memoryBytes = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))

  /// Raises the limit of open files to what the administrator allows at most, and returns it (getrlimit(2)).
  public static func raiseOpenFilesLimit() throws(SystemError) -> Int {
    var limit = rlimit()
    _ = try systemCall("getrlimit") { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    limit.rlim_cur = limit.rlim_max
    _ = try systemCall("setrlimit") { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    return Int(clamping: limit.rlim_cur)
  }

  /// Whether every argument is UTF-8. One that is not reaches `CommandLine.arguments` with replacement characters
  /// in it, and as a key it would be another key.
  public static var argumentsAreText: Bool {
    (0..<Int(CommandLine.argc)).allSatisfy { index in
      guard let argument = CommandLine.unsafeArgv[index] else { return true }
      return String(validatingCString: argument) != nil
    }
  }

  /// The path that a file's name stands for once symbolic links are followed, or nil where there is no such file
  /// (realpath(3)).
  public static func resolvedPath(_ path: String) -> String? {
    guard let resolved = clinux_real_path(path) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Renames a file, replacing what has the new name, at once (rename(2)).
  public static func rename(_ path: String, to newPath: String) throws(SystemError) {
    _ = try systemCall("rename") { Glibc.rename(path, newPath) }
  }

  /// Removes a file (unlink(2)).
  public static func remove(_ path: String) throws(SystemError) {
    _ = try systemCall("unlink") { unlink(path) }
  }

  /// Ends the process at once with a status of sysexits.h.
  public static func exit(_ status: Int32) -> Never { Glibc.exit(status) }

  /// Writes to standard error, as far as it goes.
  public static func writeError(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Writes to standard output, as far as it goes.
  public static func writeOutput(_ text: String) { write(text, to: STDOUT_FILENO) }

  private static func write(_ text: String, to number: CInt) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(number, bytes, bytes.count)
  }
}
