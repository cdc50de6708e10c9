import ArgumentParser
import KVCore
import KVLinux

/// `kvctl cat`.
struct Cat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write values to standard output, one after the other.",
    discussion: """
      Each value is compared with its checksum at its end. The first failure ends the command. A value that broke off is \
      continued where it stopped, if it is retried and is still the same.
      """)

  @Argument(help: "The keys.", completion: .keys)
  var keys: [String]

  @Flag(name: [.customShort("e"), .customLong("encoded")], help: "The keys are percent-encoded, as in a URL.")
  var isEncoded = false

  @OptionGroup var retryOptions: RetryOptions
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup(visibility: .private) var progress: ProgressOption

  func run() throws {
    try ending { () throws(CommandError) in
      var parsed: [Key] = []
      for text in keys { parsed.append(try KeyText.key(text, isEncoded: isEncoded)) }
      let (nodes, retries) = (try nodeOptions.load(), retryOptions.forOne)
      try Runtime.run { [parsed] () async throws(CommandError) in
        for key in parsed { try await Get.get(key, "-", nodes, retries, showsProgress: false) }
      }
    }
  }
}
