import ArgumentParser
import KVCore
import KVDialect
import KVLinux

/// `kvctl status`.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the state of all nodes, and problems such as different peer lists.",
    discussion: "Ends with 4 if a node is unreachable, and with 1 if a node is not healthy or nodes disagree.")

  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup(visibility: .private) var progress: ProgressOption
  @OptionGroup var json: JSONOption

  func run() throws {
    try ending { () throws(CommandError) in
      let nodes = try nodeOptions.load()
      let isJSON = json.isOn
      try Runtime.run { () async throws(CommandError) in
        let report = ClusterReport(entries: await Status.entries(of: nodes), fingerprint: nodes.fingerprint)
        try StandardOutput().write(isJSON ? StatusText.json(report) : StatusText.table(report))
        let problemCount = report.problems.count
        guard problemCount > 0 else { return }
        throw CommandError(
          report.isReached ? .failure : .unreachable,
          "STATUS: \(Counted(problemCount, "problem"))")
      }
    }
  }

  private static func entries(of nodes: Nodes) async -> [ClusterReport.Entry] {
    let limits = nodes.configuration.limits
    return await nodes.each { ClusterReport.Entry(endpoint: $0, answer: await answer(of: $0, limits)) }
  }

  static func answer(of endpoint: Endpoint, _ limits: Limits) async -> ClusterReport.Entry.Answer {
    do throws(CommandError) {
      let connection = try await NodeConnection.open([endpoint], limits, subject: "STATUS")
      let text = try await connection.text(StatusRequest.head(to: endpoint.address), bytesMax: NodeStatus.bytesMax)
      do throws(NodeStatusError) {
        return .up(try NodeStatus(parsing: text))
      } catch {
        return .down(reason: "\(endpoint) answered with something that is no status: \(error.reason)")
      }
    } catch {
      let prefix = "STATUS: "
      let message = error.message
      return .down(
        reason: message.hasPrefix(prefix) ? String(message.dropFirst(prefix.count)) : "\(endpoint): \(message)")
    }
  }
}
