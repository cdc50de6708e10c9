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
      case .request where refusing: await tell(.tooManyConnections, to: &client)
      case .request(let request): await serve(request, of: &client)
      case .refused(let failure): await tell(failure, to: &client)
      case .gone: break
      }
    }
    await client.close()
  }

  /// One request: the owner of its key decides whether the store here or a relay to the owner answers it.
  private func serve(_ request: Request, of client: inout Client) async {
    let cluster = node.cluster
    do throws(ExchangeError) {
      switch cluster.route(request) {
      case .own: try await StoreExchange(node: node, limits: cluster.configuration.limits).serve(request, of: &client)
      case .peer(let owner):
        try await RelayExchange(node: node, cluster: cluster, owner: owner).serve(request, of: &client)
      case .refused(let failure): throw .refused(failure)
      }
    } catch {
      switch error {
      case .refused(let failure): await tell(failure, to: &client)
      case .broken(let reason): breakOff(request, of: &client, because: reason)
      }
    }
  }

  private func tell(_ failure: Failure, to client: inout Client) async {
    let level: Logger.Level = failure.kind.rawValue >= 500 || failure.kind == .misdirected ? .warning : .info
    node.logger.log(
      level: level, "request refused", metadata: ["client": "\(client.address)", "reason": "\(failure)"])
    do throws(StreamError) {
      try await client.send(.failure(failure))
    } catch {
      client.abandon()
    }
  }

  private func breakOff(_ request: Request, of client: inout Client, because reason: String) {
    node.logger.info(
      "connection reset",
      metadata: [
        "client": "\(client.address)", "operation": "\(request.operation.rawValue)", "key": "\(request.key)",
        "reason": "\(reason)",
      ])
    client.abandon()
  }
}
