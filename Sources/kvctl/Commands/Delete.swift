import ArgumentParser
import KVCore
import KVHTTP
import KVLinux

/// `kvctl del`.
struct Delete: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "del", abstract: "Delete values.",
    usage: """
      kvctl del [<options>] <key> ...
      kvctl del [<options>] --from <file>|-
      kvctl del -r [<options>] <prefix>
      """,
    discussion: """
      With -r, all values below a prefix are deleted: those whose keys begin with the prefix and a slash. It asks \
      first. If standard input is not a terminal, it needs --yes.
      """)

  @Argument(help: "The keys; with -r, the prefix.", completion: .keys)
  var keys: [String] = []

  @Flag(name: [.customShort("e"), .customLong("encoded")], help: "The keys are percent-encoded, as in a URL.")
  var isEncoded = false

  @Option(
    help: ArgumentHelp("Delete the keys in this file, one per line, or - for standard input.", valueName: "file"),
    completion: .file())
  var from: String?

  @Flag(name: [.customShort("0"), .customLong("null")], help: "Each key of --from ends with a NUL byte.")
  var endsInNull = false

  @Flag(name: [.customShort("r"), .customLong("recursive")], help: "Delete all values below a prefix.")
  var isRecursive = false

  @Flag(help: "Do not ask before -r deletes.")
  var yes = false

  @Flag(help: "Show what would be deleted, and do nothing.")
  var dryRun = false

  @Option(help: ArgumentHelp("Delete only if the key has the value with this entity tag.", valueName: "etag"))
  var ifMatch: EntityTag?

  @OptionGroup var manyOptions: ManyOptions
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var progress: ProgressOption

  func validate() throws {
    guard from == nil || keys.isEmpty else { throw ValidationError("--from cannot be combined with keys") }
    guard from != nil || !keys.isEmpty else { throw ValidationError("no key is given") }
    guard !isRecursive || (from == nil && keys.count == 1) else { throw ValidationError("-r takes one prefix") }
    guard ifMatch == nil || (keys.count == 1 && !isRecursive) else {
      throw ValidationError("--if-match needs exactly one key")
    }
    guard !endsInNull || from != nil else { throw ValidationError("--null needs --from") }
  }

  func run() throws {
    try ending { () throws(CommandError) in
      let nodes = try nodeOptions.load()
      if !isRecursive, from == nil, keys.count == 1, !dryRun { return try deleteOne(nodes) }
      let source: DeleteMany.Source
      if isRecursive {
        source = .prefix(TreePrefix.bytes(try KeyText.bytes(keys[0], isEncoded: isEncoded, what: "the prefix")))
        try confirm()
      } else if let from {
        source = .file(from, end: endsInNull ? 0 : UInt8(ascii: "\n"), isEncoded: isEncoded)
      } else {
        var named: [Key] = []
        for text in keys { named.append(try KeyText.key(text, isEncoded: isEncoded)) }
        source = .keys(named)
      }
      let deletion = DeleteMany(
        source: source, nodes: nodes, retries: manyOptions.forMany, report: ManyReport(isDryRun: dryRun),
        isDryRun: dryRun)
      let (taskCount, showsProgress) = (manyOptions.jobs, !progress.isOff)
      try Runtime.run { () async throws(CommandError) in
        await Crew(nodes: nodes, taskCount: taskCount, report: deletion.report, showsProgress: showsProgress).run(
          "DEL", plan: { (queue) async throws(CommandError) in try await deletion.plan(queue) },
          work: { (job, connections) async throws(CommandError) in try await deletion.run(job, connections) })
        try deletion.report.finish(isJSON: false)
      }
    }
  }

  private func deleteOne(_ nodes: Nodes) throws(CommandError) {
    let deletion = Deletion(key: try KeyText.key(keys[0], isEncoded: isEncoded), entityTag: ifMatch)
    let retries = manyOptions.forOne
    try Runtime.run { () async throws(CommandError) in
      let subject = "DEL \(deletion.key)"
      // After an attempt that went well unseen, the key would be gone.
      let isGone = try await retries.run(isRepeatable: false) { () async throws(CommandError) -> Bool in
        let connection = try await NodeConnection.open(
          nodes.candidates(for: deletion.key), nodes.configuration.limits, subject: subject)
        return try await deletion.run(over: connection)
      }
      guard isGone else { throw .absent(subject) }
    }
  }

  /// Asks whether to go on, where somebody is there to ask.
  private func confirm() throws(CommandError) {
    guard !yes, !dryRun else { return }
    guard Terminal.isStandardInput else {
      throw CommandError(.usage, "standard input is not a terminal: -r needs --yes")
    }
    let prefix = PrintableText.escape(Array(keys[0].utf8))
    Process.writeError(
      keys[0].isEmpty ? "delete all values of the cluster? [y/N] " : "delete all values below \(prefix)? [y/N] ")
    guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
      throw CommandError(.failure, "nothing was deleted")
    }
  }
}
