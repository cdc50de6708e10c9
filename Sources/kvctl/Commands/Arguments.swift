import ArgumentParser
import KVCore
import KVHTTP
import KVLinux

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
    guard let checksum = ValueChecksum(entityTag: text.lowercased()) else { return nil }
    digits = checksum.description
  }

  /// The tag as it stands in a field.
  var field: String { "\"xxh3-\(digits)\"" }
}
