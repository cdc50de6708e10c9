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

  func run() throws {
    try ending { () throws(CommandError) in
      if isRecursive { return try getAll() }
      if let directory { throw CommandError(.usage, "unexpected argument '\(directory)': use -o to name a file") }
      let key = try keyArgument.parse()
      let nodes = try nodeOptions.load()
      let (path, showsProgress, retries) = (output, !nodeOptions.noProgress, manyOptions.forOne)
      try Runtime.run { () async throws(CommandError) in
        let destination = try Destination(path)
        // What has gone out cannot be taken back.
        let isRepeatable = if case .file = destination { true } else { false }
        try await retries.run(isRepeatable: isRepeatable) { () async throws(CommandError) in
          try await Get.get(key, path, nodes, showsProgress: showsProgress)
        }
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
      manyOptions, nodeOptions
    ).run("GET", isJSON: false)
  }

  static func get(
    _ key: Key, _ path: String, _ nodes: Nodes, showsProgress: Bool
  ) async throws(CommandError) {
    let destination = try Destination(path)
    let connection = try await NodeConnection.open(
      nodes.candidates(for: key), nodes.configuration.limits, subject: "GET \(key)")
    // A bar amid a value that goes to the same terminal would be of no use.
    let mingles = path == "-" && Terminal.isStandardOutput
    let progress = ProgressBar("GET \(key)", isWanted: showsProgress && !mingles)
    defer { progress.end() }
    let download = Download(key: key, connection: connection, progress: progress)
    let verdict: Download.Verdict
    switch destination {
    case .stream(let name): verdict = try await fetch(download, toStream: name)
    case .file(let finalPath): verdict = try await fetch(download, toFile: finalPath)
    }
    if verdict == .unverified {
      Process.writeError("kvctl: GET \(key): warning: the node has no checksum of the value, so it is not verified\n")
    }
  }

  private static func fetch(_ download: Download, toStream name: String) async throws(CommandError) -> Download.Verdict
  {
    let label = name == "-" ? "standard output" : name
    let file = try CommandError.naming(label) { () throws(SystemError) in
      name == "-" ? try File.standardOutput() : try File(outputPath: name)
    }
    return try await download.run { bytes throws(CommandError) in
      try CommandError.naming(label) { () throws(SystemError) in try file.writeNext(bytes) }
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
