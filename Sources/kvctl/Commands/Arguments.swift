import ArgumentParser
import KVCore
import KVHTTP
import KVLinux

/// The options that say whom to ask. They may stand before the subcommand or after it.
struct NodeOptions: ParsableArguments {
  private static let nodesVariable = "KVNODE_NODES"
  private static let configVariable = "KVNODE_CONFIG"

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
    let (config, nodes) = try chosen()
    guard config != nil || nodes.isEmpty else { return Nodes(Configuration(nodeName: ""), named: nodes) }
    return Nodes(try Self.configuration(config), named: nodes)
  }

  /// The configuration alone. What is odd about it is the node's to tell.
  func loadConfiguration() throws(CommandError) -> Configuration { try Self.configuration(try chosen().config) }

  /// What the options say, or the environment where there is neither of them.
  private func chosen() throws(CommandError) -> (config: String?, nodes: [PeerAddress]) {
    guard config == nil, nodes.isEmpty else { return (config, nodes) }
    let named = Process.environment(Self.nodesVariable).map { $0.split(separator: ",") } ?? []
    var addresses: [PeerAddress] = []
    for text in named {
      do throws(SettingError) {
        addresses.append(try PeerAddress(parsing: text.filter { $0 != " " }))
      } catch {
        throw CommandError(.usage, "\(Self.nodesVariable): '\(text)' is not \(error.expected)")
      }
    }
    return (Process.environment(Self.configVariable), addresses)
  }

  private static func configuration(_ config: String?) throws(CommandError) -> Configuration {
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

/// The argument that names a key.
struct KeyArgument: ParsableArguments {
  @Argument(help: "The key, 1 to \(Key.bytesMax) bytes.")
  var key: String

  @Flag(
    name: [.customShort("e"), .customLong("encoded")],
    help: "KEY is percent-encoded, as in a URL: so it can hold any byte.")
  var isEncoded = false

  /// The key, or a usage error.
  func parse() throws(CommandError) -> Key {
    var bytes = Array(key.utf8)
    do throws(HTTPSyntaxError) {
      if isEncoded { bytes = try PercentCoding.decode(bytes.span) }
    } catch {
      throw CommandError(.usage, "the key '\(PrintableText.escape(Array(key.utf8)))': \(error)")
    }
    do throws(KeyError) { return try Key(bytes) } catch { throw CommandError(.usage, "\(error)") }
  }
}

extension Key {
  /// The key as it is written in JSON: percent-encoded, as in a listing, for a key can hold any byte.
  var encodedText: String { String(decoding: PercentCoding.encode(bytes), as: UTF8.self) }
}

/// The entity tag of `--if-match`: 32 hex digits, with or without the quotes that HTTP puts around them.
struct EntityTagArgument: ExpressibleByArgument, Equatable {
  /// The digits without quotes.
  let digits: String

  init?(argument: String) {
    let isQuoted = argument.count > 2 && argument.hasPrefix("\"") && argument.hasSuffix("\"")
    let text = isQuoted ? String(argument.dropFirst().dropLast()) : argument
    guard text.utf8.count == 32, text.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
    digits = text.lowercased()
  }

  /// The tag as it stands in a field.
  var field: String { "\"\(digits)\"" }
}
