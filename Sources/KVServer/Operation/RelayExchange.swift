import KVCore
import KVDialect
import KVHTTP
import KVWire

/// Serves a request by asking the owner of its key, and passes the bytes through as they come. Nothing is stored.
struct RelayExchange {
  let node: Node
  let cluster: Cluster
  let owner: Peer
  private let link: PeerLink

  init(node: Node, cluster: Cluster, owner: Peer, request: ValueRequest) {
    self.node = node
    self.cluster = cluster
    self.owner = owner
    link = PeerLink(node: node, cluster: cluster, peer: owner, subject: request.subject)
  }

  /// Asks the owner what the client asks, and answers what it answers.
  func serve(_ request: ValueRequest, of client: inout Client) async throws(ExchangeError) -> Traffic {
    let size = ValueSize(of: request, limits: cluster.configuration.limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    var connection = try await link.connect()
    var answer = try await link.ask(
      PeerProtocol.head(request, to: owner, mark: cluster.topology.relayMark), &connection)
    // How much of a value has gone, once all of it has.
    var sentBytes = request.operation == .put ? nil : 0
    if request.operation == .put && answer.status == 100 {
      try await client.invite()
      connection.bePatient()
      sentBytes = try await forward(request, size, from: &client, to: &connection)
      answer = try await receiveAnswer(&connection)
    }
    if sentBytes == nil { connection.spoil() }
    let response = try await receiveResponse(answer, to: request, isAllSent: sentBytes != nil, from: &connection)
    var traffic = Traffic(receivedBytes: sentBytes ?? 0)
    traffic.sentBytes = try await pass(response, to: request, from: &connection, to: &client)
    if connection.isReusable { node.peers.put(connection.release(), owner.address) }
    if case .failure(let failure) = response {
      if failure.isOurs { link.count(.refused) }
      throw .refused(failure)
    }
    return traffic
  }

  /// Moves the client's value to the owner, and returns how many bytes that were; nil where the owner has an answer
  /// before the end.
  private func forward(
    _ request: ValueRequest, _ size: ValueSize, from client: inout Client, to connection: inout PeerConnection
  ) async throws(ExchangeError) -> Int? {
    let pump = Pump(
      pipes: node.pipes, framesChunks: PeerProtocol.bodyFraming(request) == .chunked, heedsSink: true, size: size)
    do throws(PumpError) {
      switch try await pump.run(&client.body, from: &client.stream, to: connection.stream) {
      case .complete(let byteCount): return byteCount
      case .sinkSpoke: return nil
      }
    } catch {
      switch error {
      case .source(let error): throw ExchangeError(error, receiving: request)
      case .sourceBrokeOff: throw .broken(reason: "the client broke the value off")
      case .sourceMalformed(let error): throw .refused(Failure(error))
      case .sink(let error): throw link.failed(.stream(error))
      case .refused(let failure): throw .refused(failure)
      }
    }
  }

  private func receiveAnswer(_ connection: inout PeerConnection) async throws(ExchangeError) -> HTTPResponseHead {
    do throws(PeerError) { return try await connection.receiveHead() } catch { throw link.failed(error) }
  }

  /// What the owner answers. It cannot have stored a value that it was not given all of.
  private func receiveResponse(
    _ answer: HTTPResponseHead, to request: ValueRequest, isAllSent: Bool, from connection: inout PeerConnection
  ) async throws(ExchangeError) -> Response {
    do throws(PeerError) {
      let response = try await connection.response(answer, to: request, owner)
      if case .stored = response, !isAllSent { throw .malformed(.bad("success before the end of the value")) }
      return response
    } catch {
      throw link.failed(error)
    }
  }

  /// Passes the response on, but for a failure, and returns how many bytes of a value went.
  private func pass(
    _ response: Response, to request: ValueRequest, from connection: inout PeerConnection, to client: inout Client
  ) async throws(ExchangeError) -> Int {
    if case .failure = response { return 0 }
    guard request.operation == .get, case .value(let head) = response else {
      try await client.answer(response)
      return 0
    }
    if head.offsets.count == connection.stream.unread.count {
      // A small value came along with its head, and goes on with it too.
      let value = Array(connection.stream.takeUnread(head.offsets.count))
      try await client.answer(response, value: value)
    } else {
      try await client.answer(response)
      try await passValue(head, from: &connection, to: client)
    }
    return head.offsets.count
  }

  private func passValue(
    _ head: ValueHead, from connection: inout PeerConnection, to client: borrowing Client
  ) async throws(ExchangeError) {
    client.beginValue()
    var body = BodyReader(.length(head.offsets.count))
    let pump = Pump(pipes: node.pipes, framesChunks: false, heedsSink: false, size: nil)
    do throws(PumpError) {
      _ = try await pump.run(&body, from: &connection.stream, to: client.stream)
    } catch {
      switch error {
      case .source(let error):
        link.count(PeerError.stream(error).kind)
        throw .broken(reason: "\(owner) failed amid the value: \(error)")
      case .sourceBrokeOff:
        link.count(.broken)
        throw .broken(reason: "\(owner) broke the value off")
      case .sink(let error): throw .broken(reason: "the client does not take the value: \(error)")
      case .sourceMalformed, .refused: preconditionFailure("a body of known length has no framing to be wrong")
      }
    }
    client.endValue()
  }
}
