import KVCore
import KVLinux
import Logging

/// The path of every request, from the socket to the response.
struct Serve {
  let node: Node

  /// Serves one connection until it ends. `refusing` reads a request only to answer that there are too many.
  func connection(_ stream: consuming Stream, refusing: Bool) async {
    var client = Client(stream, limits: node.cluster.configuration.limits)
    while client.isOpen {
      switch await client.nextRequest() {
      case .request where refusing, .list where refusing: await tell(.tooManyConnections, [:], to: &client)
      case .request(let request): await serve(request, of: &client)
      case .list(let list): await serve(list, of: &client)
      case .refused(let failure): await tell(failure, [:], to: &client)
      case .gone: break
      }
    }
    await client.close()
  }

  /// One request: the owner of its key decides whether the store here or a relay to the owner answers it.
  private func serve(_ request: Request, of client: inout Client) async {
    let cluster = node.cluster
    let route = cluster.route(request)
    do throws(ExchangeError) {
      switch route {
      case .own:
        try await StoreExchange(node: node, limits: cluster.configuration.limits).serve(request, of: &client)
      case .peer(let owner):
        try await RelayExchange(node: node, cluster: cluster, owner: owner, request: request).serve(
          request, of: &client)
      case .refused(let failure): throw .refused(failure)
      }
    } catch {
      await end(error, LogFields.about(request, route), of: &client)
    }
  }

  /// One page of keys, gathered from the whole cluster.
  private func serve(_ list: ListRequest, of client: inout Client) async {
    do throws(ExchangeError) {
      let page = try await ListExchange(node: node, cluster: node.cluster).page(list)
      try await client.answer(.json(page.json))
    } catch {
      await end(error, ["op": "LIST"], of: &client)
    }
  }

  private func end(_ error: ExchangeError, _ fields: Logger.Metadata, of client: inout Client) async {
    switch error {
    case .refused(let failure): await tell(failure, fields, to: &client)
    case .broken(let reason):
      log(.info, "connection reset: \(reason)", fields, client)
      client.abandon()
    }
  }

  private func tell(_ failure: Failure, _ fields: Logger.Metadata, to client: inout Client) async {
    let isOurs = failure.kind.rawValue >= 500 || failure.kind == .misdirected
    log(isOurs ? .warning : .info, "refused: \(failure)", fields, client)
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
