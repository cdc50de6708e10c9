import ArgumentParser
import KVCore
import KVLinux

/// `kvctl get`.
struct Get: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fetch a value.",
    discussion: """
      With --output, the value comes in FILE.part, which becomes FILE once it is whole and its checksum is right. \
      A download that broke off goes on where it stopped, if the value is still the same.
      """)

  @OptionGroup var keyArgument: KeyArgument

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write the value (default: standard output).", valueName: "file"),
    completion: .file())
  var output = "-"

  @OptionGroup var nodeOptions: NodeOptions

  func run() throws {
    try ending { () throws(CommandError) in
      let key = try keyArgument.parse()
      let nodes = try nodeOptions.load()
      let (path, showsProgress) = (output, !nodeOptions.noProgress)
      try Runtime.run { () async throws(CommandError) in
        try await Get.get(key, path, nodes, showsProgress: showsProgress)
      }
    }
  }

  private static func get(
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
