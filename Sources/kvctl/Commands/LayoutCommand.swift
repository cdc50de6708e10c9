import ArgumentParser
import KVCluster
import KVCore
import KVLinux

/// `kvctl layout`.
struct LayoutCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "layout",
    abstract: "Show who is in the cluster and stores what, and look ahead at changes of that.",
    subcommands: [Show.self, Plan.self, Cancel.self, Force.self], defaultSubcommand: Show.self)

  /// `kvctl layout show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the layout in force, the one that values move to, and who wishes what.",
      discussion: "A node tells it as it knows it; the next one is asked if one cannot be reached.")

    @OptionGroup var nodeOptions: NodeOptions
    @OptionGroup(visibility: .private) var progress: ProgressOption
    @OptionGroup var json: JSONOption

    func run() throws {
      try ending { () throws(CommandError) in
        let nodes = try nodeOptions.load()
        let isJSON = json.isOn
        try Runtime.run { () async throws(CommandError) in
          let report = try await LayoutQuestion.report(nodes)
          try StandardOutput().write(isJSON ? "\(report.json)\n" : LayoutText.text(report))
        }
      }
    }
  }

  /// `kvctl layout plan`.
  struct Plan: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say what would move if all hosts had this configuration file.",
      discussion: """
        Goes through the keys of the whole cluster, and changes nothing. Of FILE (and FILE.d/*.conf) only [Peers] and \
        [Cluster] count.
        """)

    @Argument(help: "The configuration file that is thought of.", completion: .file())
    var file: String

    @OptionGroup var nodeOptions: NodeOptions
    @OptionGroup(visibility: .private) var progress: ProgressOption
    @OptionGroup var json: JSONOption

    func run() throws {
      try ending { () throws(CommandError) in
        let nodes = try nodeOptions.load()
        let planned = try ConfigurationOption.read(file)
        guard !planned.peers.isEmpty else { throw CommandError(.configuration, "\(file): it has no [Peers]") }
        let isJSON = json.isOn
        try Runtime.run { () async throws(CommandError) in
          let wish = Wish(planned)
          var forecast = MoveForecast(from: try await LayoutQuestion.layout(nodes).layout, to: wish, digest: MD5.digest)
          let listing = KeyListing(ListRequest(prefix: []), nodes)
          while let page = try await listing.next() {
            for value in page.values {
              forecast.add(try Key(listed: value.key).slot, byteCount: value.byteCount ?? 0)
            }
          }
          guard listing.missing.isEmpty else {
            throw CommandError(
              .unreachable, "LAYOUT: no answer from \(listing.missing.sorted().joined(separator: ", "))")
          }
          let free = await Self.freeBytes(Nodes(planned, named: [], manner: nodes.manner))
          let text = ForecastText(forecast, wish, free: free, bytesPerSecond: planned.moveBytesPerSecondMax)
          try StandardOutput().write(isJSON ? "\(text.json)\n" : text.table)
        }
      }
    }

    /// How much room the wished hosts have, as far as they say.
    private static func freeBytes(_ nodes: Nodes) async -> [String: Int] {
      let limits = nodes.configuration.limits
      let answers = await nodes.each { ($0.name ?? "", await Status.answer(of: $0, limits)) }
      return Dictionary(
        answers.compactMap { name, answer in if case .up(let status) = answer { (name, status.freeBytes) } else { nil }
        },
        uniquingKeysWith: { first, _ in first })
    }
  }

  /// `kvctl layout cancel`.
  struct Cancel: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Go back on the change under way, whatever the files of the hosts say.",
      discussion: """
        To be run on a host of the cluster. What has moved moves back. The change does not begin again before the hosts' \
        files have asked for something else.
        """)

    @OptionGroup var configurationOption: ConfigurationOption
    @OptionGroup var mannerOptions: MannerOptions
    @OptionGroup(visibility: .private) var nodeOption: NodeOption
    @OptionGroup(visibility: .private) var progress: ProgressOption

    func validate() throws { try nodeOption.refuse(by: "cancel") }

    func run() throws {
      try ending { () throws(CommandError) in
        let configuration = try configurationOption.load()
        let manner = try mannerOptions.load(configuration)
        try Runtime.run { () async throws(CommandError) in
          try StandardOutput().write("\(try await LayoutQuestion.order("cancel", manner, configuration))\n")
        }
      }
    }
  }

  /// `kvctl layout force`.
  struct Force: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Do without hosts that are gone for good, and without what only they stored.",
      discussion: """
        To be run on a host of the cluster that is left, when a disk or a host with its disk is lost for ever. Says what is \
        lost, and asks before it does anything. A host that was given up must not be started again with its old data.
        """)

    @Option(
      name: .customLong("accept-loss"), help: ArgumentHelp("The host that is gone. May be repeated.", valueName: "host")
    )
    var lost: [String] = []

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var configurationOption: ConfigurationOption
    @OptionGroup var mannerOptions: MannerOptions
    @OptionGroup(visibility: .private) var nodeOption: NodeOption
    @OptionGroup(visibility: .private) var progress: ProgressOption

    func validate() throws {
      try nodeOption.refuse(by: "force")
      guard !lost.isEmpty else { throw ValidationError("force needs --accept-loss HOST") }
    }

    func run() throws {
      try ending { () throws(CommandError) in
        let configuration = try configurationOption.load()
        let manner = try mannerOptions.load(configuration)
        let lost = lost
        try Runtime.run { () async throws(CommandError) in
          let (report, layout) = try await LayoutQuestion.layout(Nodes(ownOnly: configuration, manner: manner))
          guard layout.current.copies == 1 else {
            throw CommandError(.failure, "LAYOUT: \(LayoutOrder.noLossOfCopies)")
          }
          try StandardOutput().write(LayoutText.loss(of: lost, report, layout))
        }
        guard yes || Self.isConfirmed(lost) else { throw CommandError(.failure, "LAYOUT: nothing was done") }
        try Runtime.run { () async throws(CommandError) in
          try StandardOutput().write("\(try await LayoutQuestion.order("force", lost: lost, manner, configuration))\n")
        }
      }
    }

    private static func isConfirmed(_ lost: [String]) -> Bool {
      guard Terminal.isStandardInput else {
        Process.writeError("kvctl: --yes is needed where nobody can be asked\n")
        return false
      }
      Process.writeError("To go on, type the names again: ")
      return readLine()?.split(separator: " ").map(String.init) == lost
    }
  }
}

extension NodeOption {
  /// For commands that are about the host on which they are run.
  fileprivate func refuse(by command: String) throws {
    guard nodes.isEmpty else {
      throw ValidationError("\(command) is run on a host of the cluster: it does not take --node")
    }
  }
}
