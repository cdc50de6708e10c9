import ArgumentParser
import KVLinux
import Synchronization

extension ParsableCommand {
  /// Runs a command's work, and tells people why it failed and scripts by the exit status.
  func ending(_ work: () throws(CommandError) -> Void) throws {
    do throws(CommandError) {
      try work()
    } catch {
      Process.writeError("kvctl: \(error.message)\n")
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
