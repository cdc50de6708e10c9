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
        let text = Token.text(.random(count: Token.randomByteCount))
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
      let token = Token(
        name: try Self.reading("the name", name, NodeName.parse), digest: SHA256.digest(Array(text.utf8)),
        grants: try Self.reading("--allow and --prefix", try words(), Grants.init(parsing:)),
        until: try until.map { day throws(CommandError) in try Self.reading("--until", day, Day.init(parsing:)) })
      guard token.grants != .none else {
        throw CommandError(.usage, "--allow: a token that allows nothing is of no use")
      }
      let now = HTTPDate(nanosecondsSince1970: Instant.wallNanoseconds)
      if let day = token.until, day.isOver(at: now) { throw CommandError(.usage, "--until: \(day) is over") }
      return token
    }

    /// Each prefix gets what is about keys; the state of nodes has none.
    private func words() throws(CommandError) -> String {
      guard !prefixes.isEmpty else { return allow }
      guard !allow.contains(where: { ": \t".contains($0) }) else {
        throw CommandError(.usage, "--allow: expected permissions alone, for their prefixes are named by --prefix")
      }
      // What an unset variable leaves must not open all keys, nor a blank begin another permission.
      guard prefixes.allSatisfy({ !$0.isEmpty && !$0.contains(where: \.isWhitespace) }) else {
        throw CommandError(.usage, "--prefix: expected the beginning of a key, percent-encoded")
      }
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

  /// Adds a line, unless what comes out would be refused by a node. Nobody else adds one meanwhile.
  func add(_ token: Token) throws(CommandError) {
    let file = try CommandError.naming(path) { () throws(SystemError) in
      let file = try File(writingPath: path)
      try file.waitForLock()
      return file
    }
    let (contents, isWritableByOthers) = try CommandError.naming(path) { () throws(SystemError) in
      (try file.contents(bytesMax: Self.bytesMax + 1), try file.status().isWritableByOthers)
    }
    guard !isWritableByOthers else {
      throw CommandError(.configuration, "\(path): a node refuses it: expected what chmod go-w leaves")
    }
    let ending = contents.last.map { $0 == UInt8(ascii: "\n") } ?? true ? "" : "\n"
    let line = Array("\(ending)\(token.line)\n".utf8)
    do throws(ConfigurationError) { _ = try TokenList(parsing: contents + line, named: path) } catch {
      throw CommandError(.configuration, "\(error)")
    }
    try CommandError.naming(path) { () throws(SystemError) in
      try line.withBytes { bytes throws(SystemError) in try file.write(bytes, at: contents.count) }
      try file.sync()
    }
  }
}
