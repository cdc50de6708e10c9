/// What the command line asks for.
struct Options: Equatable {
  /// What to do.
  enum Action: Equatable {
    case run
    case checkConfiguration
    case showVersion
    case showHelp
  }

  static let usage = """
    usage: kvnode [--config FILE] [--state DIRECTORY] [--check-config [--quiet]]

      --config FILE    read FILE, then FILE.d/*.conf (default: /etc/kvnode.conf, if it exists)
      --state DIRECTORY
                       remember in DIRECTORY which store this node has, and serve no other instead
      --check-config   check the configuration, say what the node would own, and exit
      --quiet          with --check-config: say only what is wrong
      --version        show the version and exit
      --help           show this text and exit

    """

  var action = Action.run
  /// The file named on the command line; it must exist.
  var configurationFile: String?

  /// Where the node remembers its store, if it is to.
  var stateDirectory: String?
  /// Whether a check says only what is wrong.
  var isQuiet = false

  /// Reads the arguments after the program's name.
  init(parsing arguments: [String]) throws(UsageError) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      switch argument {
      case "--config":
        guard let file = rest.popFirst(), !file.isEmpty else { throw UsageError(message: "--config needs a file") }
        configurationFile = file
      case _ where argument.hasPrefix("--config="):
        let file = String(argument.dropFirst("--config=".count))
        guard !file.isEmpty else { throw UsageError(message: "--config needs a file") }
        configurationFile = file
      case "--state":
        guard let directory = rest.popFirst(), !directory.isEmpty else {
          throw UsageError(message: "--state needs a directory")
        }
        stateDirectory = directory
      case "--quiet": isQuiet = true
      case "--check-config": action = .checkConfiguration
      case "--version": action = .showVersion
      case "--help", "-h": action = .showHelp
      default: throw UsageError(message: "unknown argument '\(argument)'")
      }
    }
  }
}

/// A command line that means nothing.
struct UsageError: Error, Equatable {
  let message: String
}
