import ArgumentParser
import KVCore
import KVDialect
import KVLinux

/// `kvctl status`.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show how all nodes do, and where they disagree.",
    discussion: "Ends with 4 if a node is unreachable, and with 1 if a node is not healthy or nodes disagree.")

  @OptionGroup var nodeOptions: NodeOptions
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
          "STATUS: \(problemCount) \(problemCount == 1 ? "problem" : "problems")")
      }
    }
  }

  /// Asks all nodes at once.
  private static func entries(of nodes: Nodes) async -> [ClusterReport.Entry] {
    let (endpoints, limits, executor) = (nodes.all, nodes.configuration.limits, IOExecutor.current)
    return await withTaskGroup(of: (Int, ClusterReport.Entry).self) { group in
      for (index, endpoint) in endpoints.enumerated() {
        group.addTask(executorPreference: executor) {
          (index, ClusterReport.Entry(endpoint: endpoint, answer: await answer(of: endpoint, limits)))
        }
      }
      var entries: [Int: ClusterReport.Entry] = [:]
      for await (index, entry) in group { entries[index] = entry }
      return endpoints.indices.compactMap { entries[$0] }
    }
  }

  private static func answer(of endpoint: Endpoint, _ limits: Limits) async -> ClusterReport.Entry.Answer {
    do throws(CommandError) {
      let connection = try await NodeConnection.open([endpoint], limits, subject: "STATUS")
      let answer = try await connection.ask(StatusRequest.head(to: endpoint.address))
      guard answer.status == 200 else { throw try await connection.failure(answer, method: "GET") }
      let text = try await connection.receiveText(answer, bytesMax: NodeStatus.bytesMax)
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
