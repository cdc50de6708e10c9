import ArgumentParser
import KVCore
import KVDialect
import KVHTTP
import KVLinux

/// `kvctl ls`.
struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List keys in byte order, over the whole cluster.",
    discussion: """
      Control characters, backslashes and bytes that are not UTF-8 are written \\xNN; use --null or --encoded for keys \
      that a program reads.
      """,
    helpNames: .long)

  @OptionGroup var prefix: PrefixArgument

  @Option(help: ArgumentHelp("Begin with this key, whether or not it exists.", valueName: "key"))
  var start: String?

  @Option(name: .customLong("limit"), help: ArgumentHelp("List at most this many keys.", valueName: "count"))
  var keysMax: Int?

  @Flag(name: [.customShort("l"), .customLong("long")], help: "Also show the size and time of each value.")
  var isLong = false

  @Flag(name: .shortAndLong, help: "Show sizes with units, such as 1.5 MiB.")
  var humanReadable = false

  @Flag(help: "Show the number and total size of the values at the end.")
  var total = false

  @Flag(name: [.customShort("0"), .customLong("null")], help: "End each key with a NUL byte, and escape nothing.")
  var endsInNull = false

  @Flag(help: "If nodes cannot be reached, list the values of the others, name the missing nodes, and end with 4.")
  var partial = false

  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup(visibility: .private) var progress: ProgressOption
  @OptionGroup var json: JSONOption

  func validate() throws {
    guard keysMax.map({ $0 >= 0 }) ?? true else { throw ValidationError("--limit must not be negative") }
    guard !(endsInNull && (json.isOn || prefix.isEncoded || total)) else {
      throw ValidationError("--null cannot be combined with --json, --encoded or --total")
    }
  }

  func run() throws {
    try ending { () throws(CommandError) in
      var query = ListRequest(prefix: try prefix.parse())
      query.isPartial = partial
      if let start { query.from = try prefix.bytes(of: start, what: "the key") }
      let nodes = try nodeOptions.load()
      let valuesMax = keysMax ?? .max
      var text = ListingText(
        style: json.isOn ? .json : prefix.isEncoded ? .encoded : endsInNull ? .null : .plain, isLong: isLong)
      text.isForPeople = humanReadable
      text.hasTotal = total
      try Runtime.run { [query, text] () async throws(CommandError) in
        try await List.list(KeyListing(query, nodes, valuesMax: valuesMax), text)
      }
    }
  }

  /// Prints the keys as they come. A node that is down makes it fail, at the end where a part was asked for: a listing is
  /// never silently short.
  private static func list(_ listing: KeyListing, _ text: ListingText) async throws(CommandError) {
    let output = try StandardOutput()
    var text = text
    try output.write(text.opening)
    while let page = try await listing.next() {
      var lines: [UInt8] = []
      for value in page.values { lines += text.entry(value) }
      try output.write(lines)
    }
    try output.write(text.closing)
    guard !listing.missing.isEmpty else { return }
    let names = listing.missing.sorted().joined(separator: ", ")
    throw CommandError(.unreachable, "LIST: the listing is incomplete, these nodes did not answer: \(names)")
  }
}

/// The argument that says what keys begin with.
struct PrefixArgument: ParsableArguments {
  @Argument(help: "Only keys that begin with this prefix.", completion: .keys)
  var prefix = ""

  @Flag(
    name: [.customShort("e"), .customLong("encoded")],
    help: "Read and print keys percent-encoded, as in a URL.")
  var isEncoded = false

  /// The bytes, or a usage error.
  func parse() throws(CommandError) -> [UInt8] { try bytes(of: prefix, what: "the prefix") }

  func bytes(of text: String, what: String) throws(CommandError) -> [UInt8] {
    try KeyText.bytes(text, isEncoded: isEncoded, what: what)
  }
}
