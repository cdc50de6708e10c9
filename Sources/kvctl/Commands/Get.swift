import ArgumentParser
import KVCore
import KVLinux

/// `kvctl get`.
struct Get: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetch a value, or with -r all values below a prefix.",
    usage: """
      kvctl get [<options>] <key> [-o <file>]
      kvctl get -r [<options>] <prefix> <directory>
      """,
    discussion: """
      With --output, the value is written to FILE.part, which is renamed to FILE when it is complete and its checksum \
      is right. An interrupted download continues where it stopped, if the value is still the same. \
      With -r, the key prefix/a/b becomes the file a/b below the directory; a file that already has the value is not \
      fetched again.
      """)

  @OptionGroup var keyArgument: KeyArgument

  @Argument(help: "With -r, the directory to fetch to.", completion: .directory)
  var directory: String?

  @Flag(name: [.customShort("r"), .customLong("recursive")], help: "Fetch all values below a prefix.")
  var isRecursive = false

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write the value; - is standard output.", valueName: "file"),
    completion: .file())
  var output = "-"

  @OptionGroup var manyOptions: ManyOptions
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var progress: ProgressOption

  func run() throws {
    try ending { () throws(CommandError) in
      if isRecursive { return try getAll() }
      if let directory { throw CommandError(.usage, "unexpected argument '\(directory)': use -o to name a file") }
      let key = try keyArgument.parse()
      let nodes = try nodeOptions.load()
      let (path, showsProgress, retries) = (output, !progress.isOff, manyOptions.forOne)
      try Runtime.run { () async throws(CommandError) in
        try await Get.get(key, path, nodes, retries, showsProgress: showsProgress)
      }
    }
  }

  private func getAll() throws(CommandError) {
    guard let directory, output == "-" else {
      throw CommandError(.usage, "get -r takes a prefix and a directory, and no -o")
    }
    try TreeCommand(
      directory: directory,
      prefix: KeyText.bytes(keyArgument.key, isEncoded: keyArgument.isEncoded, what: "the prefix"), direction: .down,
      manyOptions, nodeOptions, progress
    ).run("GET", isJSON: false)
  }

  static func get(
    _ key: Key, _ path: String, _ nodes: Nodes, _ retries: Retries, showsProgress: Bool
  ) async throws(CommandError) {
    let destination = try Destination(path)
    let write: (Download) async throws(CommandError) -> Download.Verdict
    switch destination {
    case .stream(let name):
      let stream = try StreamedValue(to: name)
      write = { (download) async throws(CommandError) in try await download.run(into: stream) }
    case .file(let finalPath):
      write = { (download) async throws(CommandError) in try await fetch(download, toFile: finalPath) }
    }
    let verdict = try await retries.run { () async throws(CommandError) -> Download.Verdict in
      let connection = try await NodeConnection.open(
        nodes.candidates(for: key), nodes.configuration.limits, subject: "GET \(key)")
      // A bar amid a value that goes to the same terminal would be of no use.
      let mingles = path == "-" && Terminal.isStandardOutput
      let progress = ProgressBar("GET \(key)", isWanted: showsProgress && !mingles)
      defer { progress.end() }
      return try await write(Download(key: key, connection: connection, progress: progress))
    }
    if verdict == .unverified {
      Process.writeError("kvctl: GET \(key): warning: the node has no checksum of the value, so it is not verified\n")
    }
  }

  private static func fetch(_ download: Download, toFile finalPath: String) async throws(CommandError)
    -> Download.Verdict
  {
    var partial = try PartialFile.open(for: finalPath)
    let verdict: Download.Verdict
    do throws(CommandError) {
      verdict = try await download.run(into: &partial)
    } catch {
      if error.status == .checksumMismatch {
        partial.distrust()
      } else {
        partial.abandon()
      }
      throw error
    }
    try partial.complete()
    return verdict
  }
}
