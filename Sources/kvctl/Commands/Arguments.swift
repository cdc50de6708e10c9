import ArgumentParser
import KVCore
import KVHTTP
import KVLinux

/// The option that names the configuration. It may stand before the subcommand or after it, as the others below.
struct ConfigurationOption: ParsableArguments {
  static let variable = "KVNODE_CONFIG"

  @Option(
    help: ArgumentHelp(
      """
      Read the peers from FILE and FILE.d/*.conf (default: KVNODE_CONFIG in the environment, or \
      \(ConfigurationFiles.standardPath), unless --node or KVNODE_NODES is given).
      """,
      valueName: "file"),
    completion: .file())
  var config: String?

  /// The configuration alone.
  func load() throws(CommandError) -> Configuration { try Self.read(config ?? Process.environment(Self.variable)) }

  /// What a file says, or the standard one. What is odd about it is the node's to tell.
  static func read(_ name: String?) throws(CommandError) -> Configuration {
    do throws(ConfigurationError) {
      return try ConfigurationFiles(named: name).load(isNode: false).configuration
    } catch {
      throw CommandError(.configuration, "\(error)")
    }
  }
}

/// The option that names nodes.
struct NodeOption: ParsableArguments {
  @Option(
    name: .customLong("node"),
    help: ArgumentHelp(
      """
      Ask this node, which asks the others; https:// before it encrypts. May be repeated: the next one is asked if one \
      cannot be reached.
      """,
      valueName: "host:port"),
    transform: { try NodeAddress(parsing: $0) })
  var nodes: [NodeAddress] = []
}

/// The options that say who asks.
struct TokenOption: ParsableArguments {
  static let variable = "KVNODE_TOKEN"
  static let fileVariable = "KVNODE_TOKEN_FILE"
  private static let bytesMax = 2048

  @Option(
    name: .customLong("token-file"),
    help: ArgumentHelp(
      """
      Show the token in FILE, which nobody else may read (default: KVNODE_TOKEN_FILE, or the token itself in \
      KVNODE_TOKEN).
      """,
      valueName: "file"),
    completion: .file())
  var file: String?

  /// The token, or nil where nothing is said of one.
  func load() throws(CommandError) -> String? {
    if let file = file ?? Process.environment(Self.fileVariable) { return try Self.checked(Self.read(file), file) }
    guard let text = Process.environment(Self.variable) else { return nil }
    return try Self.checked(text, Self.variable)
  }

  private static func read(_ path: String) throws(CommandError) -> String {
    let file = try SecretFile.open(path, with: "token")
    let contents = try CommandError.naming(path) { () throws(SystemError) in try file.contents(bytesMax: bytesMax + 1) }
    return String(decoding: contents, as: UTF8.self)
  }

  private static func checked(_ text: String, _ source: String) throws(CommandError) -> String {
    let token = text.hasSuffix("\n") ? text.dropLast() : text[...]
    guard (1...bytesMax).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw CommandError(.configuration, "\(source): expected a token, in one line of at most \(bytesMax) characters")
    }
    return String(token)
  }
}

/// A file that only its owner may read.
enum SecretFile {
  /// Opens it; `secret` is what it has, for the message that refuses one which others may read or write.
  static func open(_ path: String, with secret: String) throws(CommandError) -> File {
    let file = try CommandError.naming(path) { () throws(SystemError) in try File(path: path) }
    let status = try CommandError.naming(path) { () throws(SystemError) in try file.status() }
    guard !status.isOpenToOthers else {
      throw CommandError(
        .configuration, "\(path): others may read or write the \(secret): expected what chmod 600 leaves")
    }
    return file
  }
}

/// The options that say how nodes are spoken to.
struct MannerOptions: ParsableArguments {
  static let authoritiesVariable = "KVNODE_CA"
  static let certificateVariable = "KVNODE_CERT"
  static let keyVariable = "KVNODE_KEY"

  @OptionGroup var tokenOption: TokenOption

  @Option(
    name: .customLong("ca"),
    help: ArgumentHelp(
      """
      Encrypt, and trust the authorities whose certificates FILE has, in PEM (default: KVNODE_CA in the environment; \
      nodes with https:// are otherwise asked by those that the system trusts).
      """,
      valueName: "file"),
    completion: .file())
  var authorities: String?

  @Option(
    name: .customLong("cert"),
    help: ArgumentHelp(
      """
      Encrypt, and show the certificate that FILE has, in PEM, which stands for the token of its name (default: \
      KVNODE_CERT in the environment).
      """,
      valueName: "file"),
    completion: .file())
  var certificate: String?

  @Option(
    name: .customLong("key"),
    help: ArgumentHelp(
      "The certificate's key, in PEM, which others may not read (default: KVNODE_KEY in the environment).",
      valueName: "file"),
    completion: .file())
  var key: String?

  /// What they say. Nodes that turn away what is not encrypted are not spoken to otherwise.
  func load(_ configuration: Configuration, _ nodes: [NodeAddress] = []) throws(CommandError) -> Endpoint.Manner {
    let file = authorities ?? Process.environment(Self.authoritiesVariable)
    var manner = Endpoint.Manner(token: try tokenOption.load())
    // Whoever names one so does not want the others to be asked, and shown a token, in clear text.
    let isAsked = nodes.contains { $0.isEncrypted == true }
    let shown = try shownCertificate()
    manner.isEncrypted = file != nil || shown != nil || configuration.tls.required != .no || isAsked
    guard manner.isEncrypted else { return manner }
    do throws(TLSError) { manner.tls = try TLSContext(connectingTo: file, showing: shown) } catch {
      throw CommandError(.configuration, "\(error)")
    }
    return manner
  }

  private func shownCertificate() throws(CommandError) -> TLSContext.Certificate? {
    let certificate = certificate ?? Process.environment(Self.certificateVariable)
    let key = key ?? Process.environment(Self.keyVariable)
    guard let certificate, let key else {
      guard certificate == nil, key == nil else { throw CommandError(.usage, "--cert and --key need each other") }
      return nil
    }
    _ = try SecretFile.open(key, with: "key")
    return TLSContext.Certificate(file: certificate, privateKeyFile: key)
  }
}

/// The option of commands that show a progress bar. The others take it too, for it holds there anyway.
struct ProgressOption: ParsableArguments {
  @Flag(name: .customLong("no-progress"), help: "Show no progress bar, even on a terminal.")
  var isOff = false
}

/// The options that say whom to ask.
struct NodeOptions: ParsableArguments {
  private static let nodesVariable = "KVNODE_NODES"

  @OptionGroup var configurationOption: ConfigurationOption
  @OptionGroup var nodeOption: NodeOption
  @OptionGroup var mannerOptions: MannerOptions

  /// Reads the configuration, unless the nodes were named and it was not.
  func load() throws(CommandError) -> Nodes {
    let (config, nodes) = try chosen()
    let isRead = config != nil || nodes.isEmpty
    let configuration = isRead ? try ConfigurationOption.read(config) : Configuration(nodeName: "")
    return Nodes(configuration, named: nodes, manner: try mannerOptions.load(configuration, nodes))
  }

  /// What the options say, or the environment where there is neither of them.
  private func chosen() throws(CommandError) -> (config: String?, nodes: [NodeAddress]) {
    let (config, nodes) = (configurationOption.config, nodeOption.nodes)
    guard config == nil, nodes.isEmpty else { return (config, nodes) }
    let named = Process.environment(Self.nodesVariable).map { $0.split(separator: ",") } ?? []
    var addresses: [NodeAddress] = []
    for text in named {
      do throws(SettingError) {
        addresses.append(try NodeAddress(parsing: text.filter { $0 != " " }))
      } catch {
        throw CommandError(.usage, "\(Self.nodesVariable): '\(text)' is not \(error.expected)")
      }
    }
    return (Process.environment(ConfigurationOption.variable), addresses)
  }
}

/// The option of commands that store values.
struct ContentTypeOption: ParsableArguments {
  @Option(
    name: .customLong("content-type"),
    help: ArgumentHelp("The Content-Type of what is stored, for HTTP clients.", valueName: "type"))
  var text: String?

  /// The type, or nil where none is named.
  func parse() throws(CommandError) -> String? {
    guard let text else { return nil }
    let isPrintable = text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
    guard isPrintable, !text.isEmpty, text.utf8.count <= ValueFields.contentTypeBytesMax else {
      throw CommandError(
        .usage, "--content-type must be printable ASCII of 1 to \(ValueFields.contentTypeBytesMax) bytes")
    }
    return text
  }
}

/// The option of commands that print something a program may want to read.
struct JSONOption: ParsableArguments {
  @Flag(name: .customLong("json"), help: "Print JSON.")
  var isOn = false
}

/// The argument that names a key.
struct KeyArgument: ParsableArguments {
  @Argument(help: "The key, 1 to \(Key.bytesMax) bytes.", completion: .keys)
  var key: String

  @Flag(
    name: [.customShort("e"), .customLong("encoded")],
    help: "The key is percent-encoded, as in a URL, so that it can hold any byte.")
  var isEncoded = false

  /// The key, or a usage error.
  func parse() throws(CommandError) -> Key { try KeyText.key(key, isEncoded: isEncoded) }
}

/// Keys as they are written on a command line.
enum KeyText {
  /// The key, or a usage error.
  static func key(_ text: String, isEncoded: Bool) throws(CommandError) -> Key {
    let bytes = try bytes(text, isEncoded: isEncoded, what: "the key")
    do throws(KeyError) { return try Key(bytes) } catch { throw CommandError(.usage, "\(error)") }
  }

  /// The bytes of a key or a part of one, or a usage error that says what it is.
  static func bytes(_ text: String, isEncoded: Bool, what: String) throws(CommandError) -> [UInt8] {
    let bytes = Array(text.utf8)
    guard isEncoded else { return bytes }
    do throws(HTTPSyntaxError) {
      return try PercentCoding.decode(bytes.span)
    } catch {
      throw CommandError(.usage, "\(what) '\(PrintableText.escape(bytes))': \(error)")
    }
  }
}

extension Key {
  /// The key as it is written in JSON: percent-encoded, as in a listing, for a key can hold any byte.
  var encodedText: String { String(decoding: PercentCoding.encode(bytes), as: UTF8.self) }
}
