import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux

/// What kvctl asks nodes about the layout, and has them do about it.
enum LayoutQuestion {
  private static let orderTextBytesMax = 4096

  /// What the first node that can be reached tells.
  static func report(_ nodes: Nodes) async throws(CommandError) -> LayoutReport {
    try await report(
      NodeConnection.open(nodes.candidates, nodes.configuration.limits, subject: "LAYOUT"))
  }

  /// What one node tells.
  static func report(of endpoint: Endpoint, _ nodes: Nodes) async throws(CommandError) -> LayoutReport {
    try await report(NodeConnection.open([endpoint], nodes.configuration.limits, subject: "LAYOUT"))
  }

  private static func report(_ connection: NodeConnection) async throws(CommandError) -> LayoutReport {
    let text = try await connection.text(
      LayoutRequest.head(to: connection.endpoint.address), bytesMax: LayoutReport.writtenBytesMax)
    do throws(ByteReader.Malformed) { return try LayoutReport(text) } catch {
      throw CommandError(.failure, "LAYOUT: \(connection.endpoint) answered with no layout: \(error)")
    }
  }

  /// The same, and the layout that there must be.
  static func layout(_ nodes: Nodes) async throws(CommandError) -> (report: LayoutReport, layout: Layout) {
    let report = try await report(nodes)
    guard let layout = report.layout else {
      throw CommandError(.failure, "LAYOUT: \(report.node) goes by none: \(report.progress ?? "it has no peers")")
    }
    return (report, layout)
  }

  /// Gives this host's node an order on its admin port, and returns what it says.
  static func order(
    _ name: String, lost: [String] = [], _ manner: Endpoint.Manner, _ configuration: Configuration
  ) async throws(CommandError) -> String {
    let query = lost.map { "lost=" + String(decoding: PercentCoding.encode(Array($0.utf8)), as: UTF8.self) }
    // What stays on the host is not encrypted, and a token is shown to a port that asks for one.
    let token = configuration.access.adminTakesTokens ? manner.token : nil
    let endpoint = Endpoint(adminAddress(configuration), Endpoint.Manner(token: token))
    let connection = try await NodeConnection.open([endpoint], configuration.limits, subject: "LAYOUT")
    let head = HTTPRequestHead(
      method: "POST",
      target: HTTPTarget(
        key: Array("layout/\(name)".utf8), query: query.isEmpty ? nil : Array(query.joined(separator: "&").utf8)),
      fields: ["Kvnode-Order": name, "Content-Length": "0"])
    let answer = try await connection.ask(head)
    guard answer.status == 200 else { throw try await connection.failure(answer, method: "POST") }
    let text = try await connection.receiveText(answer, method: "POST", bytesMax: orderTextBytesMax)
    return PrintableText.escape(text.prefix { $0 != UInt8(ascii: "\n") })
  }

  private static func adminAddress(_ configuration: Configuration) -> PeerAddress {
    switch configuration.adminListen {
    case .address(let address, let port) where !address.isUnspecified:
      PeerAddress(host: .address(address), port: port)
    case .address(_, let port), .port(let port): PeerAddress(host: .address(.v4(0x7f00_0001)), port: port)
    }
  }
}
