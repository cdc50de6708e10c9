import ArgumentParser
import KVCore
import KVLinux
import KVStore

/// `kvctl put`.
struct Put: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Store a value, or with -r all files below a directory.",
    usage: """
      kvctl put [<options>] <key> [<file>|-]
      kvctl put -r [<options>] <directory> <prefix>
      """,
    discussion: """
      The stored value is compared with what was sent, by checksum. With -r, the file a/b below the directory becomes \
      the key prefix/a/b; a value that is already stored is not sent again. Without --content-type a value has none, and \
      HTTP clients are told application/octet-stream.
      """)

  @OptionGroup var keyArgument: KeyArgument

  @Argument(help: "The file with the value, or - for standard input; with -r, the prefix.", completion: .file())
  var file: String?

  @Flag(name: [.customShort("r"), .customLong("recursive")], help: "Store all files below a directory.")
  var isRecursive = false

  @OptionGroup var contentType: ContentTypeOption

  @Option(help: ArgumentHelp("Store only if the key has the value with this entity tag.", valueName: "etag"))
  var ifMatch: EntityTag?

  @Flag(help: "Store only if the key has no value.")
  var ifAbsent = false

  @OptionGroup var manyOptions: ManyOptions
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var progress: ProgressOption
  @OptionGroup var json: JSONOption

  func run() throws {
    try ending { () throws(CommandError) in
      if isRecursive { return try putAll() }
      let key = try keyArgument.parse()
      let terms = try terms()
      let nodes = try nodeOptions.load()
      let (path, showsProgress, isJSON) = (file ?? "-", !progress.isOff, json.isOn)
      let retries = manyOptions.forOne
      try Runtime.run { () async throws(CommandError) in
        // Only a file can be read again. After an attempt that went well unseen the nodes recognise the next one.
        let isRepeatable = path != "-" && Put.isFile(path)
        try await retries.run(isRepeatable: isRepeatable) { () async throws(CommandError) in
          try await Put.put(key, path, terms, nodes, showsProgress: showsProgress, isJSON: isJSON)
        }
      }
    }
  }

  private func putAll() throws(CommandError) {
    guard let prefix = file else { throw CommandError(.usage, "put -r takes a directory and a prefix") }
    guard ifMatch == nil, !ifAbsent else {
      throw CommandError(.usage, "-r cannot be combined with --if-match or --if-absent")
    }
    var trees = try TreeCommand(
      directory: keyArgument.key,
      prefix: KeyText.bytes(prefix, isEncoded: keyArgument.isEncoded, what: "the prefix"), direction: .up, manyOptions,
      nodeOptions, progress)
    trees.contentType = try contentType.parse()
    try trees.run("PUT", isJSON: json.isOn)
  }

  private static func isFile(_ path: String) -> Bool { (try? File.status(ofPath: path))??.isRegular == true }

  private func terms() throws(CommandError) -> Upload.Terms {
    guard ifMatch == nil || !ifAbsent else {
      throw CommandError(.usage, "--if-match and --if-absent cannot be combined")
    }
    return Upload.Terms(
      contentType: try contentType.parse(), entityTag: ifMatch, isNew: ifAbsent, idempotencyKey: .random())
  }

  private static func put(
    _ key: Key, _ path: String, _ terms: Upload.Terms, _ nodes: Nodes, showsProgress: Bool, isJSON: Bool
  ) async throws(CommandError) {
    let name = path == "-" ? "standard input" : path
    let file = try CommandError.naming(name) { () throws(SystemError) in
      path == "-" ? try File.standardInput() : try File(path: path, waiting: true)
    }
    let status = try CommandError.naming(name) { () throws(SystemError) in try file.status() }
    guard !status.isDirectory else { throw CommandError(.failure, "\(name): Is a directory") }
    // Only a regular file tells its length, and it may have been read from before.
    let byteCount = status.isRegular ? max(status.byteCount - (file.place() ?? 0), 0) : nil
    let connection = try await NodeConnection.open(
      nodes.candidates(for: key), nodes.configuration.limits, subject: "PUT \(key)")
    let progress = ProgressBar("PUT \(key)", isWanted: showsProgress)
    progress.begin("PUT \(key)", totalBytes: byteCount)
    defer { progress.end() }
    let checksum = try await Upload(key: key, terms: terms, connection: connection, progress: progress)
      .run(byteCount: byteCount) { bytes, bytesMax throws(CommandError) in
        try CommandError.naming(name) { () throws(SystemError) in try file.readNext(into: &bytes, bytesMax: bytesMax) }
      }
    guard isJSON else { return }
    var object = JSONObject()
    object.add("key", key.encodedText)
    object.add("bytes", progress.doneBytes)
    object.add("etag", "\(checksum)")
    try StandardOutput().write("\(object)\n")
  }
}
