import CLinux
import Glibc

/// Facts about this process and its host.
package enum Process {
  /// The host's name (gethostname(2)).
  package static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// How many processors this process may use.
  package static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// The machine's memory in bytes.
  package static let memoryBytes = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))

  /// A variable of the environment; nil where it is not set, is empty or is not UTF-8 (getenv(3)).
  package static func environment(_ name: String) -> String? {
    guard let value = getenv(name), let text = String(validatingCString: value), !text.isEmpty else { return nil }
    return text
  }

  /// Raises the limit of open files to what the administrator allows at most, and returns it (getrlimit(2)).
  package static func raiseOpenFilesLimit() throws(SystemError) -> Int {
    var limit = rlimit()
    _ = try systemCall("getrlimit") { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    limit.rlim_cur = limit.rlim_max
    _ = try systemCall("setrlimit") { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    return Int(clamping: limit.rlim_cur)
  }

  /// Whether every argument is UTF-8. One that is not reaches `CommandLine.arguments` with replacement characters
  /// in it, and as a key it would be another key.
  package static var argumentsAreText: Bool {
    (0..<Int(CommandLine.argc)).allSatisfy { index in
      guard let argument = CommandLine.unsafeArgv[index] else { return true }
      return String(validatingCString: argument) != nil
    }
  }

  /// The path that a file's name stands for once symbolic links are followed, or nil where there is no such file
  /// (realpath(3)).
  package static func resolvedPath(_ path: String) -> String? {
    guard let resolved = clinux_real_path(path) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Renames a file, replacing what has the new name, at once (rename(2)).
  package static func rename(_ path: String, to newPath: String) throws(SystemError) {
    _ = try systemCall("rename") { Glibc.rename(path, newPath) }
  }

  /// Removes a file (unlink(2)).
  package static func remove(_ path: String) throws(SystemError) {
    _ = try systemCall("unlink") { unlink(path) }
  }

  /// Ends the process at once with a status of sysexits.h.
  package static func exit(_ status: Int32) -> Never { Glibc.exit(status) }

  /// Writes to standard error, as far as it goes.
  package static func writeError(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Writes to standard output, as far as it goes.
  package static func writeOutput(_ text: String) { write(text, to: STDOUT_FILENO) }

  private static func write(_ text: String, to number: CInt) {
    let bytes = Array(text.utf8)
    _ = Glibc.write(number, bytes, bytes.count)
  }
}

/// What this process uses, as /proc/self and getrusage(2) tell.
package struct ProcessStatistics: Sendable {
  /// Processor time in user and kernel mode, in seconds.
  package let processorSeconds: Double
  /// Memory in use, in bytes.
  package let residentBytes: Int
  /// Open descriptors.
  package let openDescriptorCount: Int

  /// The figures now. What cannot be read is 0.
  package init() {
    var usage = rusage()
    getrusage(CInt(RUSAGE_SELF.rawValue), &usage)
    processorSeconds = Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
    let statm = (try? File(path: "/proc/self/statm").contents(bytesMax: 256)) ?? []
    let fields = statm.split(separator: UInt8(ascii: " ")).map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
    residentBytes = (fields.count > 1 ? fields[1] : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    openDescriptorCount = (try? Directory(path: "/proc/self/fd").names().count) ?? 0
  }

  private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1_000_000 }
}

/// What is known of the terminal, if there is one.
package enum Terminal {
  /// Whether standard error goes to a terminal (isatty(3)) that can move its cursor.
  package static var isStandardError: Bool {
    isatty(STDERR_FILENO) == 1 && getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? true
  }

  /// Whether standard input comes from a terminal, where somebody can be asked.
  package static var isStandardInput: Bool { isatty(STDIN_FILENO) == 1 }

  /// Whether standard output goes to a terminal.
  package static var isStandardOutput: Bool { isatty(STDOUT_FILENO) == 1 }

  /// How many characters fit in a line of standard error's terminal; 80 where nobody says.
  package static var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}
