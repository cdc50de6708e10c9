import ArgumentParser
import KVCore
import KVLinux

/// `kvctl cp`.
struct Copy: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cp", abstract: "Copy a value to another key.",
    discussion: "The bytes pass through this host, and are compared with their checksum before they are stored.")

  @OptionGroup var arguments: CopyArguments

  func run() throws { try ending { () throws(CommandError) in try arguments.run(deletesSource: false) } }
}

/// `kvctl mv`.
struct Move: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mv", abstract: "Move a value to another key.",
    discussion: """
      The value is copied, and then the old key is deleted, if its value is still the one that was copied. If it is not, \
      both keys stay, and the command ends with 5.
      """)

  @OptionGroup var arguments: CopyArguments

  func run() throws { try ending { () throws(CommandError) in try arguments.run(deletesSource: true) } }
}

/// What `cp` and `mv` take.
struct CopyArguments: ParsableArguments {
  @Argument(help: "The key to copy from.", completion: .keys)
  var source: String

  @Argument(help: "The key to copy to.", completion: .keys)
  var target: String

  @Flag(name: [.customShort("e"), .customLong("encoded")], help: "The keys are percent-encoded, as in a URL.")
  var isEncoded = false

  @Flag(help: "Copy only if the target key has no value.")
  var ifAbsent = false

  @OptionGroup var retryOptions: RetryOptions
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var progress: ProgressOption

  func run(deletesSource: Bool) throws(CommandError) {
    let source = try KeyText.key(source, isEncoded: isEncoded)
    let target = try KeyText.key(target, isEncoded: isEncoded)
    guard source != target else { throw CommandError(.usage, "the two keys are the same: \(source)") }
    let (nodes, showsProgress, ifAbsent) = (try nodeOptions.load(), !progress.isOff, ifAbsent)
    let retries = retryOptions.forOne
    try Runtime.run { () async throws(CommandError) in
      // After an attempt that went well unseen, the other key would have a value.
      let tag = try await retries.run(isRepeatable: !ifAbsent) { () async throws(CommandError) -> EntityTag? in
        let progress = ProgressBar("COPY \(source)", isWanted: showsProgress)
        defer { progress.end() }
        return try await ValueCopy(
          source: source, target: target, isNew: ifAbsent, nodes: nodes, progress: progress
        ).run()
      }
      guard deletesSource else { return }
      guard let tag else {
        throw CommandError(.failure, "MV \(source): copied, but not deleted: the node has no checksum to tell it by")
      }
      try await retries.run { () async throws(CommandError) in try await Self.delete(source, tag, nodes) }
    }
  }

  /// Deletes what was copied. It may be done twice: one that is gone has been deleted by an attempt that went well unseen, or
  /// by somebody else meanwhile, which is what was to be done.
  private static func delete(_ source: Key, _ tag: EntityTag, _ nodes: Nodes) async throws(CommandError) {
    let connection = try await NodeConnection.open(
      nodes.candidates(for: source), nodes.configuration.limits, subject: "DEL \(source)")
    do throws(CommandError) {
      _ = try await Deletion(key: source, entityTag: tag).run(over: connection)
    } catch {
      guard error.status == .preconditionFailed else { throw error }
      throw CommandError(
        error.status, "MV \(source): copied, but not deleted: another value has been stored under it meanwhile")
    }
  }
}
