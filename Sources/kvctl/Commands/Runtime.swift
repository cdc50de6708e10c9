import ArgumentParser
import KVCore
import KVLinux
import Synchronization

extension ParsableCommand {
  /// Runs a command's work, and tells people why it failed and scripts by the exit status.
  func ending(_ work: () throws(CommandError) -> Void) throws {
    do throws(CommandError) {
      try work()
    } catch {
      // A configuration may have several errors, a line each.
      for line in error.message.split(separator: "\n") { Process.writeError("kvctl: \(line)\n") }
      throw ExitCode(error.status.rawValue)
    }
  }
}

/// The threads on which kvctl waits for descriptors.
enum Runtime {
  /// Does the work on such threads, while this one waits.
  static func run(
    threadCount: Int = 2, _ work: @escaping @Sendable () async throws(CommandError) -> Void
  ) throws(CommandError) {
    // A status of many nodes or a bench opens many connections; where the limit stays, opening one fails and says so.
    _ = try? Process.raiseOpenFilesLimit()
    let executor: IOExecutor
    do throws(SystemError) {
      executor = try IOExecutor(name: "kvctl", threadCount: threadCount)
    } catch {
      throw CommandError(.failure, "\(error)")
    }
    let outcome = Outcome()
    executor.runToEnd {
      do throws(CommandError) { try await work() } catch { outcome.set(error) }
    }
    if let error = outcome.error { throw error }
  }

  /// Carries an error from one thread to the other.
  private final class Outcome: Sendable {
    private let stored = Mutex<CommandError?>(nil)

    var error: CommandError? { stored.withLock { $0 } }

    func set(_ error: CommandError) { stored.withLock { $0 = error } }
  }
}

/// Why a command did not do what it was asked: one line for people and a number for scripts.
struct CommandError: Error, Equatable, Sendable {
  let status: ExitStatus
  let message: String
  /// Whether no node can have acted on it, because none was reached.
  let isUnsent: Bool

  init(_ status: ExitStatus, _ message: String, isUnsent: Bool = false) {
    self.status = status
    self.message = message
    self.isUnsent = isUnsent
  }

  /// Runs a call whose error is about a file, or something like one.
  static func naming<Result: ~Copyable>(
    _ name: String, _ call: () throws(SystemError) -> Result
  ) throws(CommandError) -> Result {
    try translatingError({ CommandError(.failure, "\(name): \($0.reason)") }, call)
  }

  /// What a node answered with a status of HTTP.
  init(httpStatus: Int, _ message: String) {
    let status: ExitStatus =
      switch httpStatus {
      case 404: .noSuchKey
      case 412: .preconditionFailed
      case 503: .unreachable
      default: .failure
      }
    self.init(status, message)
  }
}

extension CommandError {
  /// There is no value under the key. `subject` names what was asked.
  static func absent(_ subject: String) -> CommandError { CommandError(.noSuchKey, "\(subject): no such key") }
}

/// How kvctl ends when it does not end well. Scripts rely on the numbers; kvctl(1) documents them.
enum ExitStatus: Int32, Sendable {
  /// Anything that has no number of its own.
  case failure = 1
  case noSuchKey = 2
  /// Bytes that arrived or lie on a disk are not those that were stored.
  case checksumMismatch = 3
  /// A node could not be reached, cannot serve now, or its connection broke.
  case unreachable = 4
  /// The key's value is not as `--if-match` or `--if-absent` demands.
  case preconditionFailed = 5
  /// A command line that means nothing (sysexits.h).
  case usage = 64
  /// A configuration that cannot be used (sysexits.h).
  case configuration = 78
  /// A signal asked for the end, as a shell says it of SIGINT.
  case interrupted = 130
}
