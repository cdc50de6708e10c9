import KVCore
import KVLinux
import KVServer
import KVStore
import Logging

/// The daemon: reads the configuration, opens the store and the sockets, serves until told to stop.
@main
enum Kvnode {
  /// How long the end of the process waits for whoever reads the log.
  private static let logFlushTimeout = Duration.seconds(1)

  static func main() {
    let options: Options
    do throws(UsageError) {
      options = try Options(parsing: Array(CommandLine.arguments.dropFirst()))
    } catch {
      Process.writeError("kvnode: \(error.message)\n\(Options.usage)")
      Process.exit(ExitStatus.usage)
    }
    let files = ConfigurationFiles(named: options.configurationFile)
    switch options.action {
    case .showHelp: Process.writeOutput(Options.usage)
    case .showVersion: Process.writeOutput("kvnode \(Version.current)\n")
    case .checkConfiguration: ConfigurationCheck(load(files)).run(isQuiet: options.isQuiet)
    case .run: run(load(files), files, stateDirectory: options.stateDirectory)
    }
  }

  private static func load(_ files: ConfigurationFiles) -> Configuration {
    do throws(ConfigurationError) {
      let (configuration, warnings) = try files.load(isMember: LayoutFile.allowsAbsence)
      warn(warnings)
      return configuration
    } catch {
      // A key that was ignored often explains an error.
      warn(error.warnings)
      end(ExitStatus.configuration, error.problems.map(\.description))
    }
  }

  static func warn(_ warnings: [some CustomStringConvertible]) {
    for warning in warnings { tell("warning: \(warning)") }
  }

  private static func run(
    _ configuration: Configuration, _ files: ConfigurationFiles, stateDirectory: String?
  ) {
    do {
      // Signals are blocked before the first thread starts, so that all threads inherit it.
      let signals = try Signals()
      let openFilesMax = try Process.raiseOpenFilesLimit()
      let isJournal = Journal.isStandardError
      let log = try LogQueue(write: { LogSink.write($0, toJournal: isJournal) }, told: LogEntry.dropped)
      defer { log.flush(within: logFlushTimeout) }
      let logger = Logger(label: "kvnode") { _ in QueueLogHandler(log) }
      let sockets = try Sockets.open(configuration, logger)
      let node = try Node(
        configuration, version: Version.current, openFilesMax: openFilesMax, logger: logger,
        droppedLogLines: { log.droppedCount }, stateDirectory: stateDirectory)
      logger.info(
        "serving",
        metadata: [
          "version": "\(Version.current)", "node": "\(configuration.nodeName)",
          "listen": "\(sockets.map(\.name).joined(separator: " "))", "data": "\(configuration.dataDirectory)",
          "peers": "\(configuration.peers.count)",
        ])
      if configuration.servesThisHostOnly {
        logger.notice("only this host is served until [Peers], AllowedClients= or Open=yes lets others in")
      }
      node.run(sockets, signals: signals, reload: { reload(files, logger) })
    } catch let error as SocketsError where error.needsAdministrator {
      end(ExitStatus.configuration, ["\(error)"])
    } catch let error as TLSError {
      end(ExitStatus.configuration, ["[TLS]: \(error)"])
    } catch let error as StoreRefusal {
      end(ExitStatus.configuration, ["\(error)"])
    } catch {
      end(ExitStatus.unavailable, ["\(error)"])
    }
  }

  private static func reload(_ files: ConfigurationFiles, _ logger: Logger) -> Reload {
    do throws(ConfigurationError) {
      let (configuration, warnings) = try files.load(isMember: LayoutFile.allowsAbsence)
      for warning in warnings { logger.warning("\(warning)") }
      return .loaded(configuration)
    } catch {
      for problem in error.problems {
        logger.error(
          "the new configuration is refused, the old one stays in force", metadata: ["problem": "\(problem)"])
      }
      return .refused(reason: error.problems.first.map { "\($0)" } ?? "\(error)")
    }
  }

  static func end(_ status: Int32, _ lines: [String]) -> Never {
    for line in lines { tell(line) }
    Process.exit(status)
  }

  private static func tell(_ line: String) { Process.writeError("kvnode: \(line)\n") }
}

/// How the process ends (sysexits.h).
enum ExitStatus {
  static let usage: Int32 = 64
  static let unavailable: Int32 = 69
  static let configuration: Int32 = 78
}
