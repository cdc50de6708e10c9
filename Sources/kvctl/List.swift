import ArgumentParser
import KVCore
import KVLinux

/// `kvctl ls`.
struct List: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List keys in byte order, over the whole cluster.",
    discussion: """
      Control characters, backslashes and bytes that are not UTF-8 are written \\xNN; --null and --encoded print keys \
      that can be read back.
      """)

  @Argument(help: "List only keys that begin with this.")
  var prefix = ""

  @Option(name: .customLong("limit"), help: ArgumentHelp("List at most so many keys.", valueName: "count"))
  var keysMax: Int?

  @Flag(name: [.customShort("l"), .customLong("long")], help: "Show the size and the time of each value too.")
  var isLong = false

  @Flag(
    name: [.customShort("e"), .customLong("encoded")],
    help: "PREFIX and the keys are percent-encoded, as in a URL.")
  var isEncoded = false

  @Flag(name: [.customShort("0"), .customLong("null")], help: "End each key with a NUL byte, and escape nothing.")
  var endsInNull = false

  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var json: JSONOption

  func validate() throws {
    guard keysMax.map({ $0 >= 0 }) ?? true else { throw ValidationError("--limit must not be negative") }
    guard !(endsInNull && (json.isOn || isEncoded)) else {
      throw ValidationError("--null goes with neither --json nor --encoded")
    }
  }

  func run() throws {
    try ending { () throws(CommandError) in
      var listing = Listing(prefix: try prefixBytes(), nodes: try nodeOptions.load())
      listing.keysMax = keysMax ?? .max
      listing.isLong = isLong
      let style: ListingText.Style = json.isOn ? .json : isEncoded ? .encoded : endsInNull ? .null : .plain
      try Runtime.run { [listing] () async throws(CommandError) in
        try await listing.run(ListingText(style: style, isLong: listing.isLong))
      }
    }
  }

  private func prefixBytes() throws(CommandError) -> [UInt8] {
    let bytes = Array(prefix.utf8)
    guard isEncoded else { return bytes }
    do throws(HTTPSyntaxError) {
      return try PercentCoding.decode(bytes.span)
    } catch {
      throw CommandError(.usage, "the prefix '\(PrintableText.escape(bytes))': \(error)")
    }
  }
}
