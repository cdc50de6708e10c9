import ArgumentParser
import KVCore
import KVDialect
import KVHTTP

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

/// Goes through the keys of the cluster page by page and prints them as they come.
struct Listing: Sendable {
  let prefix: [UInt8]
  let nodes: Nodes
  var keysMax = Int.max
  /// Whether each value is asked for its size.
  var isLong = false

  /// Prints the keys. A node that is down makes it fail: a listing is never silently short.
  func run(_ text: ListingText) async throws(CommandError) {
    let output = try StandardOutput()
    var text = text
    try output.write(text.opening)
    var start: [UInt8] = []
    var listed = 0
    let connections = ConnectionCache(nodes)
    while listed < keysMax {
      // Each page costs the nodes a walk through all their keys, so pages are as large as they may be.
      var request = ListRequest(prefix: prefix)
      request.from = start
      request.limit = min(keysMax - listed, ListRequest.entriesMax)
      request.format = .lines
      let page = try await connections.with(nodes.candidates, subject: "LIST") {
        [request] (connection) async throws(CommandError) -> ListPage in
        try await self.page(request, over: connection)
      }
      listed += page.entries.count
      if isLong {
        for entry in page.entries { try output.write(try await self.entry(entry.name, connections, &text)) }
      } else {
        var lines: [UInt8] = []
        for entry in page.entries { lines += text.entry(entry.name, nil) }
        try output.write(lines)
      }
      guard let next = page.next else { break }
      guard start.lexicographicallyPrecedes(next) else {
        throw CommandError(.failure, "LIST: a page of keys goes on before its own beginning")
      }
      start = next
    }
    try output.write(text.closing)
  }

  private func page(_ request: ListRequest, over connection: NodeConnection) async throws(CommandError) -> ListPage {
    let answer = try await connection.ask(request.head())
    guard answer.status == 200 else { throw try await connection.failure(answer, method: "GET") }
    let text = try await connection.receiveText(answer, bytesMax: ListPage.writtenBytesMax)
    do throws(HTTPSyntaxError) {
      return try ListPage(parsing: text)
    } catch {
      throw CommandError(.failure, "LIST: \(connection.endpoint): \(error)")
    }
  }

  /// The line of a key with what is known of its value; nothing where it was deleted meanwhile.
  private func entry(
    _ bytes: [UInt8], _ connections: ConnectionCache, _ text: inout ListingText
  ) async throws(CommandError) -> [UInt8] {
    let key: Key
    do throws(KeyError) { key = try Key(bytes) } catch { throw CommandError(.failure, "LIST: \(error)") }
    do throws(CommandError) {
      let value = try await connections.with(nodes.candidates(for: key), subject: "STAT \(key)") {
        (connection) async throws(CommandError) -> ValueDescription in
        try await ValueQuery(key: key).run(over: connection)
      }
      return text.entry(bytes, value)
    } catch {
      switch error.status {
      case .noSuchKey: return []
      // What a node cannot describe is listed all the same.
      case .failure: return text.entry(bytes, .unknown)
      default: throw error
      }
    }
  }
}
