import KVCore
import KVDialect
import KVLinux
import KVWire
import Logging

/// The path of every request, from the socket to the response.
struct Serve {
  let node: Node

  /// Serves one connection until it ends. `refusing` reads a request only to answer that there are too many.
  func connection(_ stream: consuming Stream, refusing: Bool) async {
    var client = Client(stream, limits: node.cluster.configuration.limits)
    while client.isOpen {
      switch await client.nextRequest() {
      case .request where refusing, .list where refusing, .status where refusing:
        node.metrics.refuseConnection()
        await tell(.tooManyConnections, [:], to: &client)
      case .request(let request): await serve(request, of: &client)
      case .list(let list): await serve(list, of: &client)
      case .status: await serveStatus(of: &client)
      case .refused(let failure):
        await recorded("NONE", [:], nil, &client) { _ throws(ExchangeError) in throw .refused(failure) }
      case .gone: break
      }
    }
    await client.close()
  }

  /// One request: the owner of its key decides whether the store here or a relay to the owner answers it.
  private func serve(_ request: ValueRequest, of client: inout Client) async {
    let cluster = node.cluster
    let route = cluster.topology.route(request.key.slot, relayedBy: request.relayed, about: request.subject)
    await recorded(request.operation.rawValue, LogFields.about(request, route), route.peer, &client) {
      client throws(ExchangeError) in
      try checkAccess(request.relayed, request.subject, client)
      switch route {
      case .own:
        return try await StoreExchange(node: node, limits: cluster.configuration.limits).serve(request, of: &client)
      case .peer(let owner):
        return try await RelayExchange(node: node, cluster: cluster, owner: owner, request: request).serve(
          request, of: &client)
      case .refused(let failure): throw .refused(failure)
      }
    }
  }

  /// Clients and nodes may be confined to addresses of their own, and a connection tells which it is by its request.
  private func checkAccess(
    _ mark: RelayMark?, _ subject: String, _ client: borrowing Client
  ) throws(ExchangeError) {
    let access = node.cluster.configuration.access
    guard !access.isOpen, let address = client.ipAddress else { return }
    guard mark == nil ? !access.permitsClient(at: address) : !access.permitsPeer(at: address) else { return }
    let setting = mark == nil ? "AllowedClients" : "AllowedPeers"
    throw .refused(Failure(.forbidden, "\(subject): \(address) is not allowed (\(setting)=)"))
  }

  /// One page of keys, gathered from the whole cluster.
  private func serve(_ list: ListRequest, of client: inout Client) async {
    await recorded("LIST", ["op": "LIST"], nil, &client) { client throws(ExchangeError) in
      try checkAccess(list.relayed, "LIST", client)
      let page = try await ListExchange(node: node, cluster: node.cluster).page(list)
      try await client.answer(.json(page.json))
      return Traffic()
    }
  }

  private func serveStatus(of client: inout Client) async {
    await recorded("STATUS", ["op": "STATUS"], nil, &client) { client throws(ExchangeError) in
      try await client.answer(.json(NodeStatus(of: node, node.cluster).json.bytes))
      return Traffic()
    }
  }

  /// Runs an exchange, sees to it that the client learns how it failed, and counts it.
  private func recorded(
    _ operation: String, _ fields: Logger.Metadata, _ peer: Peer?, _ client: inout Client,
    _ exchange: (inout Client) async throws(ExchangeError) -> Traffic
  ) async {
    let started = Instant.now
    node.metrics.begin()
    var traffic = Traffic()
    var outcome = RequestRecord.Outcome.ok
    do throws(ExchangeError) {
      traffic = try await exchange(&client)
    } catch {
      outcome = await end(error, fields, of: &client)
    }
    let record = RequestRecord(
      operation: operation, dialect: client.dialect ?? .classic, outcome: outcome, peer: peer?.name, traffic: traffic,
      seconds: Instant.now.since(started).inSeconds)
    node.metrics.end(record)
    if node.cluster.configuration.logsAccess {
      log(.info, "access", fields.merging(LogFields.about(record)) { $1 }, client)
    }
  }

  private func end(
    _ error: ExchangeError, _ fields: Logger.Metadata, of client: inout Client
  ) async -> RequestRecord.Outcome {
    switch error {
    case .refused(let failure):
      await tell(failure, fields, to: &client)
      return failure.isOurs ? .serverError : .clientError
    case .broken(let reason):
      log(.info, "connection reset: \(reason)", fields, client)
      client.abandon()
      return .reset
    }
  }

  private func tell(_ failure: Failure, _ fields: Logger.Metadata, to client: inout Client) async {
    log(failure.isOurs ? .warning : .info, "refused: \(failure)", fields, client)
    do throws(StreamError) { try await client.send(.failure(failure)) } catch { client.abandon() }
  }

  private func log(
    _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata, _ client: borrowing Client
  ) {
    var fields = fields
    fields["client"] = "\(client.address)"
    node.logger.log(level: level, "\(message)", metadata: fields)
  }
}
