import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVWire

/// The way to another node: a connection from the pool or a new one, and a question asked over it.
struct PeerLink {
  let node: Node
  let cluster: Cluster
  let peer: Peer
  /// What the question is about, for errors: `GET mykey`.
  let subject: String

  /// Sends a request's head and reads the answer's.
  ///
  /// A connection from the pool that turns out to be dead is replaced, once: no byte of a value has been sent
  /// then, and everything but a value may be repeated.
  func ask(
    _ head: HTTPRequestHead, _ connection: inout PeerConnection
  ) async throws(ExchangeError) -> HTTPResponseHead {
    do throws(PeerError) {
      return try await watched(&connection, head)
    } catch {
      guard connection.isReused && error.mayBeStale else { throw failed(error) }
    }
    connection = try await connectAnew()
    do throws(PeerError) { return try await watched(&connection, head) } catch { throw failed(error) }
  }

  /// Counts what the node made of a request, and turns it into what the client is told.
  func failed(_ error: PeerError) -> ExchangeError {
    failed(error.kind, error.failure(subject, peer))
  }

  /// Counts what the node made of a request.
  func count(_ failure: PeerFailure) { node.metrics.countFailure(of: peer.name, failure) }

  private func failed(_ kind: PeerFailure, _ failure: Failure) -> ExchangeError {
    count(kind)
    return .refused(failure)
  }

  private func watched(
    _ connection: inout PeerConnection, _ head: HTTPRequestHead
  ) async throws(PeerError) -> HTTPResponseHead {
    do throws(PeerError) {
      let answer = try await connection.ask(head)
      node.peerWatch.reacted(peer)
      return answer
    } catch {
      if error.isSilence {
        node.peerWatch.keptWaiting(peer, reason: "no answer to \(subject)")
        // Others in the pool lead to the same silence, and each would cost a request the same wait.
        node.peers.clear(peer.address)
      }
      throw error
    }
  }

  /// A connection to the node, from the pool if there is one. A node that has been silent is not waited for again.
  func connect() async throws(ExchangeError) -> PeerConnection {
    if case .failFast(let reason) = node.peerWatch.verdict(peer) {
      throw failed(.suspect, Failure(.unavailable, "\(subject): \(peer) does not react: \(reason)"))
    }
    if let stream = node.peers.take(peer.address) { return connection(stream, isReused: true) }
    return try await connectAnew()
  }

  private func connection(_ stream: consuming Stream, isReused: Bool) -> PeerConnection {
    PeerConnection(
      stream, isReused: isReused, acknowledgementTimeout: cluster.configuration.limits.connectTimeout)
  }

  private func connectAnew() async throws(ExchangeError) -> PeerConnection {
    let limits = cluster.configuration.limits
    let started = Instant.now
    let reason: String
    do {
      let addresses = try await addresses()
      let timeout = max(limits.connectTimeout - Instant.now.since(started), .zero)
      let stream = try await Stream.connect(to: addresses, within: timeout, idleTimeout: limits.idleTimeout)
      return connection(stream, isReused: false)
    } catch let error as StreamError where error == .timedOut {
      reason = "no answer within \(limits.connectTimeout) (ConnectTimeout=)"
      node.peerWatch.keptWaiting(peer, reason: reason)
    } catch {
      reason = "\(error)"
      if error is StreamError { node.peerWatch.reacted(peer) }
    }
    throw failed(.unreachable, Failure(.unavailable, "\(subject): \(peer) cannot be reached: \(reason)"))
  }

  /// Asks for something that is text, at most so many bytes, and returns it.
  func text(_ head: HTTPRequestHead, bytesMax: Int) async throws(ExchangeError) -> [UInt8] {
    var connection = try await connect()
    let answer = try await ask(head, &connection)
    let text: [UInt8]
    do throws(PeerError) {
      text = try await connection.receiveText(answer, requestMethod: head.method, bytesMax: bytesMax)
    } catch {
      throw failed(error)
    }
    guard answer.status == 200 else {
      throw failed(.refused, PeerProtocol.failure(status: answer.status, text: text[...], from: peer))
    }
    if connection.isReusable { node.peers.put(connection.release(), peer.address) }
    return text
  }

  private func addresses() async throws(ResolveError) -> [SocketAddress] {
    switch peer.address.host {
    case .address(let address): return [SocketAddress(address, port: peer.address.port)]
    case .name(let name):
      return try await node.names.addresses(
        of: name, peer.address, within: cluster.configuration.limits.connectTimeout)
    }
  }
}
