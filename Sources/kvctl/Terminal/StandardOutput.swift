import KVLinux

/// What a command prints. It fails where the other end does not take it, unlike a plain `print`.
struct StandardOutput: ~Copyable {
  private let file: File

  init() throws(CommandError) {
    do throws(SystemError) { file = try .standardOutput() } catch { throw Self.failure(error) }
  }

  func write(_ text: String) throws(CommandError) { try write(Array(text.utf8)) }

  func write(_ bytes: [UInt8]) throws(CommandError) {
    do throws(SystemError) {
      try bytes.withBytes { bytes throws(SystemError) in try file.writeNext(bytes) }
    } catch {
      throw Self.failure(error)
    }
  }

  private static func failure(_ error: SystemError) -> CommandError {
    CommandError(.failure, "standard output: \(error.reason)")
  }
}
