import ArgumentParser
import KVCore
import KVHTTP
import KVLinux

/// `kvctl token`.
struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token", abstract: "Give somebody access to values.", subcommands: [New.self])

  /// `kvctl token new`.
  struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a token, print it once, and add its hash to the tokens' file.",
      discussion: """
        Each node reads the file that Tokens= in [Access] names: let all of them have the new line, and reload them. To \
        withdraw a token, take its line out again.
        """)

    @Argument(help: "Who is to have it: 1 to \(NodeName.bytesMax) letters, digits, '.', '_' or '-'.")
    var name: String

    @Option(help: ArgumentHelp("What it allows: read, write, delete, list, status or all.", valueName: "list"))
    var allow: String

    @Option(
      name: .customLong("prefix"),
      help: ArgumentHelp(
        "Only for keys that begin so, percent-encoded as in a URL. May be repeated.", valueName: "prefix"))
    var prefixes: [String] = []

    @Option(help: ArgumentHelp("The last day, in UTC, on which it is good, such as 2027-06-30.", valueName: "day"))
    var until: String?

    @Option(help: ArgumentHelp("The tokens' file (default: Tokens= of the configuration).", valueName: "file"))
    var file: String?

    @OptionGroup var configurationOption: ConfigurationOption
    @OptionGroup(visibility: .private) var progress: ProgressOption

    func run() throws {
      try ending { () throws(CommandError) in
        let path = try self.path()
        let text = Token.text((0..<Token.randomByteCount).map { _ in UInt8.random(in: .min ... .max) })
        try TokensFile(path: path).add(try token(text))
        try StandardOutput().write("\(text)\n")
        Process.writeError("kvctl: \(path) has \(name) now; each node takes it in when it is reloaded\n")
      }
    }

    private func path() throws(CommandError) -> String {
      if let file { return file }
      guard let file = try configurationOption.load().access.tokensFile else {
        throw CommandError(.configuration, "no file for the token: set Tokens= in [Access], or name one by --file")
      }
      return file
    }

    private func token(_ text: String) throws(CommandError) -> Token {
      Token(
        name: try Self.reading("the name", name, NodeName.parse), digest: SHA256.digest(Array(text.utf8)),
        grants: try Self.reading("--allow and --prefix", grants, Grants.init(parsing:)),
        until: try until.map { day throws(CommandError) in try Self.reading("--until", day, Day.init(parsing:)) })
    }

    /// Each prefix gets what is about keys; the state of nodes has none.
    private var grants: String {
      guard !prefixes.isEmpty else { return allow }
      let names = allow.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      let aboutKeys = names.filter { $0 != Permission.status.rawValue }.joined(separator: ",")
      var words = aboutKeys.isEmpty ? [] : prefixes.map { "\(aboutKeys):\($0)" }
      if names.contains(Permission.status.rawValue) || names.contains("all") {
        words.append(Permission.status.rawValue)
      }
      return words.joined(separator: " ")
    }

    private static func reading<Value>(
      _ what: String, _ text: String, _ parse: (String) throws(SettingError) -> Value
    ) throws(CommandError) -> Value {
      do throws(SettingError) { return try parse(text) } catch { throw CommandError(.usage, "\(what): \(error)") }
    }
  }
}

/// The file with the hashes of tokens, to which a line can be added.
struct TokensFile {
  private static let bytesMax = 1 << 20

  let path: String

  /// Adds a line, unless what comes out would be refused by a node.
  func add(_ token: Token) throws(CommandError) {
    let file = try CommandError.naming(path) { () throws(SystemError) in try File(writingPath: path) }
    var contents = try CommandError.naming(path) { () throws(SystemError) in
      try file.contents(bytesMax: Self.bytesMax + 1)
    }
    let byteCount = contents.count
    if let last = contents.last, last != UInt8(ascii: "\n") { contents.append(UInt8(ascii: "\n")) }
    contents += Array("\(token.line)\n".utf8)
    do throws(ConfigurationError) { _ = try TokenList(parsing: contents, named: path) } catch {
      throw CommandError(.configuration, "\(error)")
    }
    try CommandError.naming(path) { () throws(SystemError) in
      try Array(contents[byteCount...]).withBytes { bytes throws(SystemError) in try file.write(bytes, at: byteCount) }
      try file.sync()
    }
  }
}
