import KVCore
import KVLinux

/// Serves a request by asking the owner of its key, and passes the bytes through as they come. Nothing is stored.
struct RelayExchange {
  let node: Node
  let cluster: Cluster
  let owner: Peer

  /// Asks the owner what the client asks, and answers what it answers.
  func serve(_ request: Request, of client: inout Client) async throws(ExchangeError) {
    let size = ValueSize(of: request, limits: cluster.configuration.limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    var connection = try await connect(request, canReuse: true)
    var answer = try await ask(request, &connection)
    var isAllSent = request.operation != .put
    if !isAllSent && answer.status == 100 {
      try await client.invite()
      isAllSent = try await forward(request, size, from: &client, to: &connection)
      answer = try await receiveAnswer(request, &connection)
    }
    if !isAllSent { connection.spoil() }
    let response = try await receiveResponse(answer, to: request, isAllSent: isAllSent, from: &connection)
    try await pass(response, from: &connection, to: &client)
    if connection.isReusable { node.peers.put(connection.release(), owner.address) }
    if case .failure(let failure) = response { throw .refused(failure) }
  }

  /// Sends the request's head. A connection from the pool that turns out to be dead is replaced, once: no byte
  /// of a value has been sent then, and GET and DEL may be repeated.
  private func ask(
    _ request: Request, _ connection: inout OwnerConnection
  ) async throws(ExchangeError) -> HTTPResponseHead {
    let head = PeerProtocol.head(request, to: owner, mark: cluster.relayMark)
    do throws(OwnerError) {
      return try await connection.ask(head)
    } catch {
      guard connection.isReused && error.mayBeStale else { throw .refused(error.failure(request, owner)) }
    }
    connection = try await connect(request, canReuse: false)
    do throws(OwnerError) { return try await connection.ask(head) } catch {
      throw .refused(error.failure(request, owner))
    }
  }

  private func connect(_ request: Request, canReuse: Bool) async throws(ExchangeError) -> OwnerConnection {
    if canReuse, let stream = node.peers.take(owner.address) { return OwnerConnection(stream, isReused: true) }
    let limits = cluster.configuration.limits
    let reason: String
    do {
      let addresses = try await addresses()
      let stream = try await Stream.connect(
        to: addresses, within: limits.connectTimeout, idleTimeout: limits.idleTimeout)
      return OwnerConnection(stream, isReused: false)
    } catch let error as StreamError where error == .timedOut {
      reason = "no answer within \(limits.connectTimeout) (ConnectTimeout=)"
    } catch {
      reason = "\(error)"
    }
    throw .refused(
      Failure(.unavailable, "\(request.operation.rawValue) \(request.key): \(owner) cannot be reached: \(reason)"))
  }

  private func addresses() async throws(ResolveError) -> [SocketAddress] {
    switch owner.address.host {
    case .address(let address): return [SocketAddress(address, port: owner.address.port)]
    case .name(let name):
      // The resolver blocks, so it runs where blocking is allowed for.
      return try await withTaskExecutorPreference(node.disk) { () async throws(ResolveError) in
        try SocketAddress.resolve(host: name, port: owner.address.port)
      }
    }
  }

  /// Moves the client's value to the owner; false where the owner has an answer before the end.
  private func forward(
    _ request: Request, _ size: ValueSize, from client: inout Client, to connection: inout OwnerConnection
  ) async throws(ExchangeError) -> Bool {
    let pump = Pump(
      pipes: node.pipes, framesChunks: PeerProtocol.bodyFraming(request) == .chunked, heedsSink: true, size: size)
    do throws(PumpError) {
      return try await pump.run(&client.body, from: &client.stream, to: connection.stream) == .complete
    } catch {
      switch error {
      case .source(let error): throw ExchangeError(error, receiving: request)
      case .sourceBrokeOff: throw .broken(reason: "the client broke the value off")
      case .sourceMalformed(let error): throw .refused(Failure(error))
      case .sink(let error): throw .refused(OwnerError.stream(error).failure(request, owner))
      case .refused(let failure): throw .refused(failure)
      }
    }
  }

  private func receiveAnswer(
    _ request: Request, _ connection: inout OwnerConnection
  ) async throws(ExchangeError) -> HTTPResponseHead {
    do throws(OwnerError) {
      return try await connection.receiveHead()
    } catch {
      throw .refused(error.failure(request, owner))
    }
  }

  private func receiveResponse(
    _ answer: HTTPResponseHead, to request: Request, isAllSent: Bool, from connection: inout OwnerConnection
  ) async throws(ExchangeError) -> Response {
    do throws(OwnerError) {
      let response = try await connection.response(answer, to: request, owner)
      // Whoever has not got the whole value cannot have stored it.
      if case .stored = response, !isAllSent { throw .malformed(.bad("success before the end of the value")) }
      return response
    } catch {
      throw .refused(error.failure(request, owner))
    }
  }

  /// Sends the client a response other than a failure, with the value where it is one.
  private func pass(
    _ response: Response, from connection: inout OwnerConnection, to client: inout Client
  ) async throws(ExchangeError) {
    if case .failure = response { return }
    try await client.answer(response)
    if case .value(let head) = response { try await passValue(head, from: &connection, to: client) }
  }

  private func passValue(
    _ head: ValueHead, from connection: inout OwnerConnection, to client: borrowing Client
  ) async throws(ExchangeError) {
    var body = BodyReader(.length(head.byteCount))
    let pump = Pump(pipes: node.pipes, framesChunks: false, heedsSink: false, size: nil)
    do throws(PumpError) {
      _ = try await pump.run(&body, from: &connection.stream, to: client.stream)
    } catch {
      switch error {
      case .source(let error): throw .broken(reason: "\(owner) failed amid the value: \(error)")
      case .sourceBrokeOff: throw .broken(reason: "\(owner) broke the value off")
      case .sink(let error): throw .broken(reason: "the client does not take the value: \(error)")
      case .sourceMalformed, .refused: preconditionFailure("a body of known length has no framing to be wrong")
      }
    }
  }
}
