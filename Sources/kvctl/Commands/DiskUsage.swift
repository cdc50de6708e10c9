import ArgumentParser
import KVCore
import KVHTTP
import KVLinux

/// `kvctl du`.
struct DiskUsage: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "du",
    abstract: "Add up the sizes of values, grouped by the keys up to the next slash.",
    discussion: "The last line is the total of all values whose keys begin with the prefix.",
    helpNames: .long)

  @OptionGroup var prefix: PrefixArgument

  @Flag(name: .shortAndLong, help: "Show only the total.")
  var summarize = false

  @Flag(name: .shortAndLong, help: "Show sizes with units, such as 1.5 MiB.")
  var humanReadable = false

  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup(visibility: .private) var progress: ProgressOption

  func run() throws {
    try ending { () throws(CommandError) in
      let query = ListRequest(prefix: try prefix.parse())
      let nodes = try nodeOptions.load()
      let usage = PrefixUsage(prefix: query.prefix, isForPeople: humanReadable)
      let showsGroups = !summarize
      try Runtime.run { () async throws(CommandError) in
        let output = try StandardOutput()
        let listing = KeyListing(query, nodes)
        var usage = usage
        while let page = try await listing.next() {
          for value in page.values {
            if let line = usage.add(value), showsGroups { try output.write(line) }
          }
        }
        if let line = usage.endGroup(), showsGroups { try output.write(line) }
        try output.write(usage.total)
      }
    }
  }
}

/// Adds values up that come in the order of their keys.
struct PrefixUsage: Sendable {
  private struct Sum {
    var values = 0
    var bytes = 0
  }

  private static let sizeCharacters = 14

  let prefix: [UInt8]
  let isForPeople: Bool
  private var group: [UInt8]?
  private var groupSum = Sum()
  private var sum = Sum()

  init(prefix: [UInt8], isForPeople: Bool) {
    self.prefix = prefix
    self.isForPeople = isForPeople
  }

  /// Takes a value in, and gives the line of the group before it where that has ended.
  mutating func add(_ value: ListedValue) -> String? {
    sum.values += 1
    sum.bytes += value.byteCount ?? 0
    let slash = value.key[prefix.count...].firstIndex(of: UInt8(ascii: "/"))
    let next = slash.map { Array(value.key[...$0]) }
    let line = next == group ? nil : endGroup()
    group = next
    if next != nil {
      groupSum.values += 1
      groupSum.bytes += value.byteCount ?? 0
    }
    return line
  }

  /// The line of the last group, if there is one.
  mutating func endGroup() -> String? {
    defer { (group, groupSum) = (nil, Sum()) }
    return group.map { line(groupSum, PrintableText.escape($0)) }
  }

  /// The line of all values.
  var total: String { line(sum, prefix.isEmpty ? "all" : PrintableText.escape(prefix)) }

  private func line(_ sum: Sum, _ name: String) -> String {
    let size = isForPeople ? Quantity.bytes(sum.bytes) : "\(sum.bytes)"
    let before = String(repeating: " ", count: max(Self.sizeCharacters - size.count, 0))
    return "\(before)\(size)  \(Quantity.values(sum.values))  \(name)\n"
  }
}
