import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// What leads to the other nodes: idle connections, names, and how they have fared.
final class Peers: Sendable {
  let pool = PeerPool()
  let watch: PeerWatch
  let names: PeerNames
  let metrics: Metrics
  /// What this node shows the others, where they have agreed on that.
  let secret: @Sendable () -> ClusterSecret?
  /// What connections to them are encrypted with; nil where they are not.
  let tls: @Sendable () -> TLSContext?

  init(
    watch: PeerWatch, names: PeerNames, metrics: Metrics, secret: @escaping @Sendable () -> ClusterSecret? = { nil },
    tls: @escaping @Sendable () -> TLSContext? = { nil }
  ) {
    (self.secret, self.tls) = (secret, tls)
    self.watch = watch
    self.names = names
    self.metrics = metrics
  }

  /// Forgets everything, because the peer list has changed.
  func clear() {
    pool.clear()
    watch.clear()
    names.clear()
  }
}

/// A question to another node whose answer is a text.
struct PeerQuestion: Sendable {
  /// What it is about, for errors: `LIST`.
  let subject: String
  let head: HTTPRequestHead
  let answerBytesMax: Int
}

/// Asks other nodes questions. A test can stand in for it.
protocol PeerQuestions: Sendable {
  /// The text of the answer.
  func ask(_ question: PeerQuestion, of peer: Peer, _ limits: Limits) async throws(ExchangeError) -> [UInt8]
  /// The error that an answer amounts to which is not the protocol.
  func malformed(_ error: HTTPSyntaxError, _ question: PeerQuestion, of peer: Peer) -> ExchangeError
}

extension Peers: PeerQuestions {
  func ask(_ question: PeerQuestion, of peer: Peer, _ limits: Limits) async throws(ExchangeError) -> [UInt8] {
    let link = PeerLink(peers: self, peer: peer, limits: limits, subject: question.subject)
    return try await link.text(question.head, bytesMax: question.answerBytesMax)
  }

  /// Asks what only nodes ask each other. Nil where there is no answer that says anything: such questions are asked again.
  func ask(_ question: NodeQuestion, of peer: Peer, _ cluster: Cluster) async -> NodeAnswer? {
    switch await reply(to: question, of: peer, cluster) {
    case .answer(let answer): answer
    case .notUnderstood, .silence: nil
    }
  }

  func reply(to question: NodeQuestion, of peer: Peer, _ cluster: Cluster) async -> NodeReply {
    let body = question.bytes
    let head = messageHead(body, to: peer, cluster)
    let link = PeerLink(peers: self, peer: peer, limits: cluster.limits, subject: "MESSAGE", isLook: true)
    let answer: [UInt8]
    do throws(ExchangeError) {
      var connection = try await link.connect(isRepeatable: true)
      if !question.mayTakeLong { connection.answerTimeout = cluster.limits.connectTimeout }
      answer = try await link.text(head, body, bytesMax: NodeAnswer.writtenBytesMax, over: connection)
      metrics.recordAnswer(of: peer.name, true)
    } catch {
      guard case .refused(let failure) = error else { return .silence }
      return failure.kind == .methodNotAllowed ? .notUnderstood : .silence
    }
    do throws(ByteReader.Malformed) { return .answer(try NodeAnswer(answer)) } catch {
      link.count(.malformed)
      return .silence
    }
  }

  /// Has another node decide about a write. It is asked first whether it hears: what has been said to a node that hangs may
  /// be done when it goes on.
  func order(_ order: WriteOrder, by version: UInt64, of peer: Peer, _ cluster: Cluster) async -> OrderReply {
    let body = NodeQuestion.write(order).bytes
    let head = messageHead(body, to: peer, cluster, asksFirst: true)
    let link = PeerLink(peers: self, peer: peer, limits: cluster.limits, subject: "PUT \(order.key)", isLook: true)
    guard var connection = await hearing(head, link, cluster) else { return .notAsked }
    // The owners may have to fetch what does not come along.
    let isFetched = order.content == nil && order.descriptor.kind == .value
    connection.answerTimeout = isFetched ? nil : cluster.limits.connectTimeout * 2
    let answer: [UInt8]
    do throws(PeerError) {
      answer = try await connection.exchange(body, head, bytesMax: NodeAnswer.writtenBytesMax)
    } catch {
      link.count(error.kind)
      return .silence
    }
    link.release(connection)
    switch try? NodeAnswer(answer) {
    case .written(let report)?: return .report(report)
    case .otherLayout(let other)?:
      return other > version ? .report(.moved(mayBeWritten: order.mayBeWritten)) : .notAsked
    default: return .silence
    }
  }

  /// A connection to a node that waits for what was announced; nil where none does.
  private func hearing(_ head: HTTPRequestHead, _ link: PeerLink, _ cluster: Cluster) async -> PeerConnection? {
    do throws(ExchangeError) {
      var connection = try await link.connect(isRepeatable: true)
      connection.answerTimeout = min(Self.hearingTimeout, cluster.limits.connectTimeout)
      guard try await link.ask(head, &connection).status == 100 else { return nil }
      return connection
    } catch {
      return nil
    }
  }

  /// How long a node may take to say that it hears.
  private static let hearingTimeout = Duration.seconds(1)

  func malformed(_ error: HTTPSyntaxError, _ question: PeerQuestion, of peer: Peer) -> ExchangeError {
    metrics.countFailure(of: peer.name, .malformed)
    return .refused(PeerError.malformed(error).failure(question.subject, peer))
  }
}

extension NodeQuestion {
  /// Whether whoever is asked may have to fetch a value, or go through many, before it answers.
  fileprivate var mayTakeLong: Bool {
    switch self {
    case .register(let question): question.request.descriptor != nil
    case .held, .digests, .states: true
    default: false
    }
  }
}

/// What came of a question that only nodes ask each other.
enum NodeReply: Sendable {
  case answer(NodeAnswer)
  /// The node is of a version that knows no such questions.
  case notUnderstood
  case silence
}

/// What came of a write that another node was to decide about.
enum OrderReply: Sendable {
  case report(WriteReport)
  /// It cannot have heard of it.
  case notAsked
  case silence
}

/// The way to another node: a connection from the pool or a new one, and a question asked over it.
struct PeerLink {
  let peers: Peers
  let peer: Peer
  let limits: Limits
  /// What the question is about, for errors: `GET mykey`.
  let subject: String
  /// Whether nothing is asked for anybody: then a failure tells how the node fares, and is none of a request.
  var isLook = false

  /// A connection to the node, from the pool if there is one and the request may be repeated should it turn out to be
  /// dead. A node that has been silent is not waited for again.
  func connect(isRepeatable: Bool) async throws(ExchangeError) -> PeerConnection {
    if case .failFast(let reason) = peers.watch.verdict(peer) {
      throw failed(.suspect, Failure(.unavailable, "\(subject): \(peer) does not react: \(reason)"))
    }
    if isRepeatable, let stream = peers.pool.take(peer.address) { return connection(stream, isReused: true) }
    return try await connectAnew()
  }

  /// Sends a request's head and reads the answer's.
  ///
  /// A connection from the pool that turns out to be dead is replaced, once: no byte of a value has been sent
  /// then, and what may not be repeated is not sent over one.
  func ask(
    _ head: HTTPRequestHead, _ connection: inout PeerConnection, body: [UInt8] = []
  ) async throws(ExchangeError) -> HTTPResponseHead {
    do throws(PeerError) {
      return try await watched(&connection, head, body)
    } catch {
      guard connection.isReused && error.mayBeStale else { throw failed(error) }
    }
    connection = try await connectAnew()
    do throws(PeerError) { return try await watched(&connection, head, body) } catch { throw failed(error) }
  }

  /// Reads the head of the answer to a value that was sent.
  func receiveHead(_ connection: inout PeerConnection) async throws(ExchangeError) -> HTTPResponseHead {
    do throws(PeerError) { return try await connection.receiveHead() } catch { throw failed(error) }
  }

  /// What the owner answers. It cannot have stored a value that it was not given all of.
  func response(
    _ answer: HTTPResponseHead, to request: ValueRequest, isAllSent: Bool, _ connection: inout PeerConnection
  ) async throws(ExchangeError) -> Response {
    do throws(PeerError) {
      let response = try await connection.response(answer, to: request, peer)
      if case .stored = response, !isAllSent { throw .malformed(.bad("success before the end of the value")) }
      return response
    } catch {
      throw failed(error)
    }
  }

  /// Asks for something that is text, at most so many bytes, and returns it.
  func text(_ head: HTTPRequestHead, _ body: [UInt8] = [], bytesMax: Int) async throws(ExchangeError) -> [UInt8] {
    try await text(head, body, bytesMax: bytesMax, over: try await connect(isRepeatable: true))
  }

  /// The same over a connection that is there already.
  func text(
    _ head: HTTPRequestHead, _ body: [UInt8], bytesMax: Int, over connection: consuming PeerConnection
  ) async throws(ExchangeError) -> [UInt8] {
    var connection = connection
    let answer = try await ask(head, &connection, body: body)
    let text: [UInt8]
    do throws(PeerError) {
      text = try await connection.receiveText(answer, requestMethod: head.method, bytesMax: bytesMax)
    } catch {
      throw failed(error)
    }
    guard answer.status == 200 else {
      throw failed(
        .refused,
        PeerProtocol.failure(
          status: answer.status, outcome: answer.fields[PeerProtocol.outcomeField], text: text[...], from: peer))
    }
    release(connection)
    return text
  }

  /// Gives a connection back whose exchange is complete.
  func release(_ connection: consuming PeerConnection) {
    guard connection.isReusable else { return }
    let isNew = !connection.isReused
    let stream = connection.release()
    // The other side has sent it by the end of the first answer.
    if isNew, let resumption = stream.resumption { peers.pool.keep(resumption, peer.address) }
    peers.pool.put(stream, peer.address)
  }

  /// Counts what the node made of a request, and turns it into what the client is told.
  func failed(_ error: PeerError) -> ExchangeError {
    failed(error.kind, error.failure(subject, peer))
  }

  /// Counts what the node made of a request.
  func count(_ failure: PeerFailure) {
    if isLook {
      peers.metrics.recordAnswer(of: peer.name, failure.isAnswer)
    } else {
      peers.metrics.countFailure(of: peer.name, failure)
    }
  }

  private func failed(_ kind: PeerFailure, _ failure: Failure) -> ExchangeError {
    count(kind)
    return .refused(failure)
  }

  private func watched(
    _ connection: inout PeerConnection, _ head: HTTPRequestHead, _ body: [UInt8]
  ) async throws(PeerError) -> HTTPResponseHead {
    do throws(PeerError) {
      let answer = try await connection.ask(head, body)
      peers.watch.reacted(peer)
      return answer
    } catch {
      if error.isSilence, connection.answerTimeout.map({ $0 < limits.connectTimeout }) ?? false {
        // It was given little time because others can be asked, which says nothing of how it fares.
        throw error
      }
      if error.isSilence {
        peers.watch.keptWaiting(peer, reason: "no answer to \(subject)")
        // Others in the pool lead to the same silence, and each would cost a request the same wait.
        peers.pool.clear(peer.address)
      } else if error.isReaction {
        peers.watch.reacted(peer)
      }
      throw error
    }
  }

  private func connection(_ stream: consuming Stream, isReused: Bool) -> PeerConnection {
    PeerConnection(
      stream, isReused: isReused, acknowledgementTimeout: limits.connectTimeout, signing: peers.signing(for: peer))
  }

  private func connectAnew() async throws(ExchangeError) -> PeerConnection {
    let started = Instant.now
    let reason: String
    do {
      let addresses = try await addresses()
      let timeout = max(limits.connectTimeout - Instant.now.since(started), .zero)
      var stream = try await Stream.connect(to: addresses, within: timeout, idleTimeout: limits.idleTimeout)
      if let tls = peers.tls() {
        try await stream.connectTLS(
          tls, to: peer.address.host, resuming: peers.pool.resumption(peer.address),
          until: started.advanced(by: limits.connectTimeout))
      }
      return connection(stream, isReused: false)
    } catch let error as StreamError where error == .timedOut {
      reason = "no answer within \(limits.connectTimeout) (ConnectTimeout=)"
      peers.watch.keptWaiting(peer, reason: reason)
    } catch {
      reason = "\(error)"
      if let error = error as? StreamError, error != .stopped { peers.watch.reacted(peer) }
    }
    throw failed(.unreachable, Failure(.unavailable, "\(subject): \(peer) cannot be reached: \(reason)"))
  }

  private func addresses() async throws(ResolveError) -> [SocketAddress] {
    switch peer.address.host {
    case .address(let address): [SocketAddress(address, port: peer.address.port)]
    case .name(let name): try await peers.names.addresses(of: name, peer.address, within: limits.connectTimeout)
    }
  }
}
