import ArgumentParser
import KVCore
import KVServer

/// The options that say whom to ask. They may stand before the subcommand or after it.
struct NodeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Read FILE and FILE.d/*.conf for the peers (default: \(ConfigurationFiles.standardPath), unless --node is given).",
      valueName: "file"),
    completion: .file())
  var config: String?

  @Option(
    name: .customLong("node"),
    help: ArgumentHelp(
      "Ask this node, which asks the others. May be repeated: the next is asked where one cannot be reached.",
      valueName: "host:port"),
    transform: { try PeerAddress(parsing: $0) })
  var nodes: [PeerAddress] = []

  @Flag(name: .customLong("no-progress"), help: "Show no progress bar, on a terminal either.")
  var noProgress = false

  /// Reads the configuration, unless the nodes were named and it was not.
  func load() throws(CommandError) -> Nodes {
    guard config != nil || nodes.isEmpty else { return Nodes(Configuration(nodeName: ""), named: nodes) }
    return Nodes(try loadConfiguration(), named: nodes)
  }

  /// The configuration alone. What is odd about it is the node's to tell.
  func loadConfiguration() throws(CommandError) -> Configuration {
    do throws(ConfigurationError) {
      return try ConfigurationFiles(named: config).load(isNode: false).configuration
    } catch {
      throw CommandError(.configuration, "\(error)")
    }
  }
}

/// The option of commands that print something a program may want to read.
struct JSONOption: ParsableArguments {
  @Flag(name: .customLong("json"), help: "Print JSON.")
  var isOn = false
}
