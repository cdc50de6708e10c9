import ArgumentParser
import KVCore
import KVLinux
import KVStore

/// The tool for people: stores, fetches and looks after values, and shows how the cluster does.
@main
struct Kvctl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kvctl",
    abstract: "Store, fetch and manage values in a kvnode cluster.",
    discussion: """
      Exit status: 0 success; 1 a failure without a status of its own; 2 no such key; 3 checksum mismatch; \
      4 a node is unreachable or cannot serve; 5 the condition of --if-match or --if-absent does not hold; \
      64 wrong usage; 78 the configuration cannot be used; 130 stopped by a signal, such as Ctrl-C. \
      If several values fail for different reasons, it is 1.
      """,
    version: Version.current,
    subcommands: [
      Put.self, Get.self, Cat.self, Sync.self, Copy.self, Move.self, Delete.self, Stat.self, List.self, DiskUsage.self,
      Where.self, Status.self, LayoutCommand.self, TokenCommand.self, CertificateCommand.self, Check.self, Bench.self,
      CompleteKeys.self,
    ])

  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var progress: ProgressOption

  static func main() {
    guard Process.argumentsAreText else {
      Process.writeError("kvctl: an argument is not UTF-8; write keys percent-encoded and add --encoded\n")
      Process.exit(ExitStatus.usage.rawValue)
    }
    let arguments = Array(CommandLine.arguments.dropFirst())
    let command = Invocation.command(in: arguments)
    if let command, !isKnown(command) { refuse("there is no command '\(command)'") }
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch {
      end(with: error, arguments, command)
    }
  }

  private static func isKnown(_ command: String) -> Bool {
    command == "help" || configuration.subcommands.contains { $0._commandName == command }
  }

  /// Ends the process as the error says; what the library says of a command line is cut to one line.
  private static func end(with error: any Error, _ arguments: [String], _ command: String?) -> Never {
    // A command has told why.
    if error is ExitCode { exit(withError: error) }
    let status = exitCode(for: error)
    if status.isSuccess, Invocation.asksForText(arguments) { exit(withError: error) }
    guard status == .validationFailure || status.isSuccess else { exit(withError: error) }
    let reason = status.isSuccess ? "no command is named" : message(for: error)
    refuse(Invocation.complaint(arguments, reason: reason), command)
  }

  private static func refuse(_ reason: String, _ command: String? = nil) -> Never {
    Process.writeError("kvctl: \(reason) (see kvctl \(command.map { "\($0) " } ?? "")--help)\n")
    Process.exit(ExitStatus.usage.rawValue)
  }
}
