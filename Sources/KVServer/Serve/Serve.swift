import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVWire

/// The path of every request, from the socket to the response.
struct Serve: Sendable {
  let current: CurrentCluster
  let own: OwnValues
  let relay: Relay
  let listing: Listing
  let status: OwnStatus
  let record: Record

  /// Serves one connection until it ends.
  func connection(_ stream: consuming Stream, _ place: consuming Place) async {
    let cluster = current.value
    var client = Client(stream, place, limits: cluster.limits, CrossOrigin(cluster.configuration))
    var turn = Turn()
    while client.isOpen {
      let arrival = await client.nextRequest()
      if case .gone = arrival { break }
      await serve(arrival, of: &client)
      await turn.served()
    }
    await client.close()
  }

  /// One request: whoever is admitted and has access is answered, and all is recorded.
  private func serve(_ arrival: Client.Arrival, of client: inout Client) async {
    let cluster = current.value
    let route = Self.route(arrival, cluster.topology)
    await record.exchange(RequestAbout(arrival, route), of: &client) { client throws(ExchangeError) in
      switch arrival {
      case .gone: return Traffic()
      case .refused(let failure): throw .refused(failure)
      case .request(let request):
        guard client.isAdmitted(asPeer: request.relayed != nil) else {
          record.refusedConnection()
          throw .refused(.tooManyConnections(at: cluster.configuration.nodeName))
        }
        try checkAccess(request, of: client, cluster.configuration)
        return try await answer(request, route, cluster, to: &client)
      }
    }
  }

  /// Where a request about a value goes; all else is this node's own affair.
  private static func route(_ arrival: Client.Arrival, _ topology: Topology) -> Topology.Route {
    guard case .request(.value(let request)) = arrival else { return .own }
    return topology.route(request.key.slot, relayedBy: request.relayed, about: request.subject)
  }

  /// The owner of a value decides whether the store here or a relay to the owner answers.
  private func answer(
    _ request: Request, _ route: Topology.Route, _ cluster: Cluster, to client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    if !request.hasBody { try await client.receiveEmptyBody(request) }
    switch request {
    case .value(let request):
      switch route {
      case .own: return try await own.serve(request, cluster.limits, of: &client)
      case .peer(let owner): return try await relay.serve(request, at: owner, cluster, of: &client)
      case .refused(let failure): throw .refused(failure)
      }
    case .list(let request):
      let page = try await listing.page(request, cluster).written(as: request.format)
      try await client.answer(request.format == .json ? .json(page) : .text(String(decoding: page, as: UTF8.self)))
    case .node(let request, _):
      try await client.answer(status.answer(request, cluster))
    }
    return Traffic()
  }
}
