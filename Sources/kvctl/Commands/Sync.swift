import ArgumentParser
import KVCore
import KVLinux

/// `kvctl sync`.
struct Sync: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make the values below a prefix the same as the files below a directory, or the reverse.",
    usage: """
      kvctl sync [<options>] <directory> kv:<prefix>
      kvctl sync [<options>] kv:<prefix> <directory>
      """,
    discussion: """
      The target is made the same as the source. What has the same size and checksum is not copied. The file a/b below \
      the directory is the key prefix/a/b. Only bytes are compared and copied, not what is stored beside them. Write a \
      directory whose name begins with kv: as ./kv:….
      """)

  @Argument(help: "What to copy from: a directory, or kv: and a prefix.", completion: .directory)
  var source: String

  @Argument(help: "What to copy to: the other of the two.", completion: .directory)
  var target: String

  @Flag(help: "Delete from the target what the source does not have.")
  var delete = false

  @Flag(help: "Show what would be done, and do nothing.")
  var dryRun = false

  @Flag(name: [.customShort("e"), .customLong("encoded")], help: "The prefix is percent-encoded, as in a URL.")
  var isEncoded = false

  @OptionGroup var contentType: ContentTypeOption
  @OptionGroup var manyOptions: ManyOptions
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var progress: ProgressOption
  @OptionGroup var json: JSONOption

  private static let scheme = "kv:"

  func run() throws {
    try ending { () throws(CommandError) in
      let isUp = target.hasPrefix(Self.scheme)
      guard isUp != source.hasPrefix(Self.scheme) else {
        throw CommandError(.usage, "one argument must be a directory, and the other kv: and a prefix")
      }
      let text = String((isUp ? target : source).dropFirst(Self.scheme.count))
      var trees = try TreeCommand(
        directory: isUp ? source : target, prefix: KeyText.bytes(text, isEncoded: isEncoded, what: "the prefix"),
        direction: isUp ? .up : .down, manyOptions, nodeOptions, progress)
      trees.contentType = try contentType.parse()
      guard isUp || trees.contentType == nil else {
        throw CommandError(.usage, "--content-type is for storing: a file has no Content-Type")
      }
      trees.deletes = delete
      trees.isDryRun = dryRun
      try trees.run(isUp ? "PUT" : "GET", isJSON: json.isOn)
    }
  }
}

/// What `sync`, `put -r` and `get -r` have in common.
struct TreeCommand: Sendable {
  var deletes = false
  var isDryRun = false
  /// What the values that are stored are said to be.
  var contentType: String?
  private let directory: String
  private let prefix: [UInt8]
  private let direction: TreeSync.Direction
  private let nodes: Nodes
  private let retries: Retries
  private let taskCount: Int
  private let showsProgress: Bool

  init(
    directory: String, prefix: [UInt8], direction: TreeSync.Direction, _ manyOptions: ManyOptions,
    _ nodeOptions: NodeOptions, _ progress: ProgressOption
  ) throws(CommandError) {
    self.directory = directory
    self.prefix = TreePrefix.bytes(prefix)
    self.direction = direction
    nodes = try nodeOptions.load()
    retries = manyOptions.forMany
    taskCount = manyOptions.jobs
    showsProgress = !progress.isOff
  }

  func run(_ label: String, isJSON: Bool) throws(CommandError) {
    try Runtime.run(threadCount: max(Process.processorCount, 2)) { () async throws(CommandError) in
      let report = ManyReport(isDryRun: isDryRun)
      var sync = TreeSync(
        root: try TreeRoot(directory, making: direction == .down && !isDryRun), prefix: prefix, direction: direction,
        nodes: nodes, retries: retries, report: report)
      sync.deletes = deletes
      sync.isDryRun = isDryRun
      sync.contentType = contentType
      let (plan, worker) = (sync, TreeWorker(sync: sync))
      await Crew(nodes: nodes, taskCount: taskCount, report: report, showsProgress: showsProgress).run(
        label, plan: { (queue) async throws(CommandError) in try await plan.plan(queue) },
        work: { (job, connections) async throws(CommandError) in try await worker.run(job, connections) })
      try report.finish(isJSON: isJSON)
    }
  }
}
