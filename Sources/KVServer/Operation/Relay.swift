import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// Serves requests by asking the owner of the key, and passes the bytes through as they come. Nothing is stored.
struct Relay: Sendable {
  let peers: Peers
  let pipes: PipePool

  /// Asks an owner what the client asks, and answers what it answers. Others are asked after one that cannot say anything,
  /// as long as nothing can have been done.
  func serve(
    _ request: ValueRequest, at first: Peer, or others: [Peer], _ cluster: Cluster, of client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    let size = ValueSize(of: request, limits: cluster.limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    var (owner, others) = (first, others[...])
    while true {
      let next = others.popFirst()
      var progress = Progress.asking
      do throws(ExchangeError) {
        return try await serve(
          request, size, at: owner, RestOfValue(peers, cluster, request.key, next.map { [$0] + others } ?? []), cluster,
          of: &client, &progress)
      } catch {
        guard case .refused(let failure) = error else { throw error }
        let isUndone = progress == .asking || Self.provesNothingDone(failure.kind, request)
        guard isUndone, let next, Self.mayOthersDo(failure.kind, request) else {
          throw .refused(Self.telling(failure, request, progress))
        }
        owner = next
      }
    }
  }

  /// How far a request has come with an owner.
  private enum Progress {
    /// Nothing can have been done.
    case asking
    /// The client has begun to send or to receive.
    case begun
    /// The owner may do what it was asked to.
    case ordered
  }

  /// What is known of a write that an owner did not confirm, where it has said nothing itself.
  private static func telling(_ failure: Failure, _ request: ValueRequest, _ progress: Progress) -> Failure {
    guard request.operation == .put || request.operation == .delete, failure.outcome == nil,
      failure.kind == .unavailable
    else { return failure }
    return Failure(failure.kind, failure.message, outcome: progress == .ordered ? .unknown : WriteOutcome.none)
  }

  /// Whether others may be able to do what one could not.
  private static func mayOthersDo(_ kind: Failure.Kind, _ request: ValueRequest) -> Bool {
    switch kind {
    case .unavailable, .storeFailed, .diskFull: true
    // A host that has lost its disk is another until it has its values again, under the same name.
    case .misdirected: true
    case .notFound: request.upload != nil
    default: false
    }
  }

  /// Whoever is not the owner says so before anything is done.
  private static func provesNothingDone(_ kind: Failure.Kind, _ request: ValueRequest) -> Bool {
    kind == .misdirected && request.operation == .delete
  }

  /// One that is not the only owner is given less time to answer.
  private func serve(
    _ request: ValueRequest, _ size: ValueSize, at owner: Peer, _ rest: RestOfValue, _ cluster: Cluster,
    of client: inout Client, _ progress: inout Progress
  ) async throws(ExchangeError) -> Traffic {
    let link = PeerLink(peers: peers, peer: owner, limits: cluster.limits, subject: request.subject)
    var connection = try await link.connect(isRepeatable: request.operation != .delete)
    if request.operation == .delete { progress = .ordered }
    if rest.hasOthers, progress == .asking {
      // An owner asks others itself, and where it does not come to an answer, nor may they.
      connection.answerTimeout = request.operation == .put ? cluster.limits.connectTimeout * 2 : Self.stallMax
    }
    let head = PeerProtocol.head(request, to: owner, mark: cluster.topology.relayMark)
    var answer = try await link.ask(head, &connection)
    // How much of a value has gone, once all of it has.
    var sentBytes = request.operation == .put ? nil : 0
    if request.operation == .put && answer.status == 100 {
      progress = .begun
      try await client.invite()
      connection.bePatient()
      connection.answerTimeout = nil
      sentBytes = try await forward(request, size, from: &client, to: &connection, link)
      // An owner takes half a value for none.
      if sentBytes != nil { progress = .ordered }
      answer = try await link.receiveHead(&connection)
    }
    if sentBytes == nil { connection.spoil() }
    let response = try await link.response(answer, to: request, isAllSent: sentBytes != nil, &connection)
    var traffic = Traffic(receivedBytes: sentBytes ?? 0)
    if case .failure = response {} else { progress = .ordered }
    traffic.sentBytes = try await pass(response, to: request, from: &connection, rest, to: &client, link)
    link.release(connection)
    if case .failure(let failure) = response {
      if failure.isOurs { link.count(.refused) }
      throw .refused(failure)
    }
    return traffic
  }

  /// Moves the client's value to the owner, and returns how many bytes that were; nil where the owner has an answer
  /// before the end.
  private func forward(
    _ request: ValueRequest, _ size: ValueSize, from client: inout Client, to connection: inout PeerConnection,
    _ link: PeerLink
  ) async throws(ExchangeError) -> Int? {
    let pump = Pump(
      pipes: pipes, framesChunks: PeerProtocol.bodyFraming(request) == .chunked, heedsSink: true, size: size)
    do throws(PumpError) {
      switch try await pump.run(&client.body, from: &client.stream, to: connection.stream) {
      case .complete(let byteCount): return byteCount
      case .sinkSpoke: return nil
      }
    } catch {
      switch error {
      case .source(let error): throw ExchangeError(error, receiving: request.subject)
      case .sink(let error): throw link.failed(.stream(error))
      case .refused(let failure): throw .refused(failure)
      }
    }
  }

  /// Passes the response on, but for a failure, and returns how many bytes of a value went.
  private func pass(
    _ response: Response, to request: ValueRequest, from connection: inout PeerConnection, _ rest: RestOfValue,
    to client: inout Client, _ link: PeerLink
  ) async throws(ExchangeError) -> Int {
    if case .failure = response { return 0 }
    guard request.operation == .get, case .value(var head) = response else {
      try await client.answer(response)
      return 0
    }
    let upload = head.upload ?? request.upload
    if request.relayed == nil { head.upload = nil }
    let response = Response.value(head)
    if head.offsets.count <= connection.stream.unread.count {
      // A small value came along with its head, and goes on with it too.
      let value = Array(connection.stream.takeUnread(head.offsets.count))
      try await client.answer(response, value: value)
    } else {
      try await client.answer(response)
      var rest = rest
      rest.upload = upload
      try await passValue(head, from: &connection, rest, to: &client, link)
    }
    return head.offsets.count
  }

  /// Passes a value on; where its source fails, or falls silent, the rest comes from another that has the same.
  private func passValue(
    _ head: ValueHead, from connection: inout PeerConnection, _ rest: RestOfValue, to client: inout Client,
    _ link: PeerLink
  ) async throws(ExchangeError) {
    var rest = rest
    var offsets = head.offsets
    while true {
      var body = BodyReader(.length(offsets.count))
      var pump = Pump(pipes: pipes, framesChunks: false, heedsSink: false, size: nil)
      if rest.isToBeHad { pump.stallMax = Self.stallMax }
      do throws(PumpError) {
        _ = try await pump.run(&body, from: &connection.stream, to: client.stream)
        return client.endValue()
      } catch {
        let failure = Self.failure(error, link)
        guard case .source = error else { throw failure }
        // What was taken from the source has been sent on.
        offsets = offsets.upperBound - body.announcedBytes..<offsets.upperBound
        guard var next = await rest.next(offsets) else { throw failure }
        // It is another node's, and goes with its value.
        next.spoil()
        connection = next
      }
    }
  }

  /// How long nothing may come of a value before the rest is had from another owner.
  private static let stallMax = Duration.seconds(1)

  private static func failure(_ error: PumpError, _ link: PeerLink) -> ExchangeError {
    switch error {
    case .source(.stream(let error)):
      link.count(PeerError.stream(error).kind)
      return .broken(reason: "\(link.peer) failed amid the value: \(error)")
    case .source(.brokenOff):
      link.count(.broken)
      return .broken(reason: "\(link.peer) closed the connection amid the value")
    case .sink(let error): return .broken(reason: "the client does not take the value: \(error)")
    case .source(.malformed), .refused: preconditionFailure("a body of known length has no framing to be wrong")
    }
  }
}
