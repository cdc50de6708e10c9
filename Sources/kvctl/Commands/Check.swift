import ArgumentParser
import KVCluster
import KVCore
import KVLinux
import KVStore

/// `kvctl check`.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Read the values on this host's disk and compare them with their checksums.",
    discussion: """
      To be run on the node's host, as root or as the node's user; the node may be running. Ends with 3 if a value is \
      damaged, or was found damaged earlier and has not been stored again or deleted since.
      """)

  @Flag(help: "Move damaged values to quarantine/ in the data directory; then a GET of their keys is an error.")
  var repair = false

  @Option(
    help: ArgumentHelp("Read at most this many bytes per second, such as 100M.", valueName: "size"),
    transform: { try ByteSize(parsing: $0) })
  var rate: ByteSize?

  @Option(
    help: ArgumentHelp("The data directory (default: DataDirectory= of the configuration).", valueName: "directory"),
    completion: .directory)
  var dataDirectory: String?

  @OptionGroup var configurationOption: ConfigurationOption
  @OptionGroup(visibility: .private) var nodeOption: NodeOption
  @OptionGroup(visibility: .private) var progress: ProgressOption
  @OptionGroup var json: JSONOption

  func validate() throws {
    guard nodeOption.nodes.isEmpty else {
      throw ValidationError("check reads this host's disk: it does not take --node")
    }
    guard rate?.bytes != 0 else { throw ValidationError("--rate must be more than 0") }
  }

  func run() throws {
    try ending { () throws(CommandError) in
      let configuration = dataDirectory == nil ? try configurationOption.load() : nil
      let path = dataDirectory ?? configuration?.dataDirectory ?? ""
      let (repairs, bytesPerSecondMax, isJSON) = (repair, rate?.bytes, json.isOn)
      try Runtime.run { () async throws(CommandError) in
        try await Check.check(
          path, configuration, repairs: repairs, bytesPerSecondMax: bytesPerSecondMax, isJSON: isJSON)
      }
    }
  }

  private static func check(
    _ path: String, _ configuration: Configuration?, repairs: Bool, bytesPerSecondMax: Int?, isJSON: Bool
  ) async throws(CommandError) {
    let scrub = try translatingError({ (error: StoreOpenError) in CommandError(.failure, "\(error)") }) {
      () throws(StoreOpenError) in
      try Scrub(dataDirectory: path, repairs: repairs, bytesPerSecondMax: bytesPerSecondMax)
    }
    let output = try StandardOutput()
    var events: [ScrubEvent] = []
    let summary: ScrubSummary
    do throws(CancellationError) {
      summary = try await scrub.run { event in
        if isJSON { events.append(event) } else { Process.writeOutput(CheckText.line(event)) }
      }
    } catch {
      throw CommandError(.failure, "CHECK: cancelled")
    }
    let stranded = stranded(path, configuration)
    let text =
      isJSON ? CheckText.json(summary, events, stranded) : CheckText.summary(summary) + CheckText.line(stranded)
    let written = Result { () throws(CommandError) in try output.write(text) }
    // Where nobody takes the text, the status tells all the same.
    if let (status, message) = CheckText.verdict(summary) { throw CommandError(status, "CHECK: \(message)") }
    try written.get()
  }

  /// The values that others answer for: by the layout that the disk goes by, or by the peer list as long as it has none;
  /// nil where nobody can tell.
  private static func stranded(_ path: String, _ configuration: Configuration?) -> Stranded? {
    let found = (try? LayoutFile.found(inDataDirectory: path)) ?? nil
    let layout = found?.contents.record.known
    let name = configuration?.nodeName ?? ""
    let peers = configuration?.peers ?? []
    guard layout != nil || peers.contains(where: { $0.name == name }) else { return nil }
    let topology = Topology(
      nodeName: name, peers: peers, digest: MD5.digest, layout: layout, ownDisk: found?.disk,
      known: found?.contents.addresses ?? [])
    // What cannot be read has been told of already.
    return (try? Stranded.count(dataDirectory: path, otherOwner: topology.otherOwner(of:))) ?? nil
  }
}
