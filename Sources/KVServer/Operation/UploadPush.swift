import KVCluster
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore
import KVWire

/// Brings a value's bytes to the other owners of its key while they come from the client, each once. Whoever cannot take them
/// is left out, and fetches them later.
struct UploadPush: Sendable {
  /// How long an owner that takes nothing holds up the others.
  private static let lagMax = Duration.seconds(2)

  let peers: Peers
  let pipes: PipePool
  let cluster: Cluster
  let upload: UploadID
  let owners: [Peer]
  /// How many of the others must take them for it to make sense to go on.
  let countMin: Int

  /// An owner that takes the bytes.
  struct Receiver {
    let peer: Peer
    let sink: Fan.Sink
  }

  /// Asks all owners at once; those that agree are waiting for the bytes.
  func begin(_ request: ValueRequest) async -> [Receiver] {
    await withTaskGroup(of: (Peer, Handoff<PeerConnection>)?.self) { group in
      for peer in owners {
        group.addTask {
          do throws(ExchangeError) { return (peer, Handoff(try await ask(peer, request))) } catch { return nil }
        }
      }
      var receivers: [Receiver] = []
      for await case let (peer, connection)? in group {
        let stream = connection.take().release()
        // It may be slow to take the bytes, and a closed window counts as silence too.
        stream.setAcknowledgementTimeout(stream.idleTimeout)
        receivers.append(Receiver(peer: peer, sink: Fan.Sink(stream, pipes: pipes)))
      }
      return receivers
    }
  }

  private func ask(_ peer: Peer, _ request: ValueRequest) async throws(ExchangeError) -> PeerConnection {
    let link = link(to: peer, request)
    var connection = try await link.connect(isRepeatable: true)
    connection.answerTimeout = cluster.limits.connectTimeout
    var asked = ValueRequest(.put, request.key)
    asked.upload = upload
    asked.fields = request.fields
    asked.body = request.body
    asked.valueBytes = request.valueBytes
    let answer = try await link.ask(
      PeerProtocol.head(asked, to: peer, mark: cluster.topology.relayMark), &connection)
    guard answer.status == 100 else {
      throw .refused(Failure(.unavailable, "\(request.subject): \(peer) does not take the bytes"))
    }
    return connection
  }

  /// Moves the client's value to those receivers and, by `store`, to this node's disk; returns how many bytes it has.
  func run(
    _ body: inout BodyReader, from stream: inout Stream, to receivers: [Receiver], _ request: ValueRequest,
    store: (RawSpan) -> Failure?
  ) async throws(ExchangeError) -> Int {
    var failure: Failure?
    let fan = Fan(
      to: receivers.map(\.sink), pipes: pipes, framesChunks: PeerProtocol.bodyFraming(request) == .chunked,
      countMin: min(countMin, receivers.count), lagMax: Self.lagMax)
    do throws(Fan.Failure) {
      return try await fan.run(&body, from: &stream) { bytes in
        failure = store(bytes)
        return failure == nil
      }
    } catch {
      switch error {
      case .source(let error): throw ExchangeError(error, receiving: request.subject)
      case .stopped: throw .refused(failure ?? Failure(.storeFailed, "\(request.subject): the store takes no more"))
      case .tooFew:
        throw .refused(
          Failure(
            .unavailable, "\(request.subject): too few of its owners take the value; nothing was done",
            outcome: WriteOutcome.none))
      }
    }
  }

  /// Hears from the receivers that the bytes are all there, from each within so long.
  func finish(_ receivers: [Receiver], _ request: ValueRequest) async {
    await withDiscardingTaskGroup { group in
      for receiver in receivers where !receiver.sink.isLeftOut {
        let (stream, peer) = (Handoff(receiver.sink.release()), receiver.peer)
        group.addTask { await end(stream.take(), peer, request) }
      }
    }
  }

  /// An owner that does not say so in time is asked to accept the value all the same, and says then what it lacks.
  private func end(_ stream: consuming Stream, _ peer: Peer, _ request: ValueRequest) async {
    let link = link(to: peer, request)
    var connection = PeerConnection(
      stream, isReused: true, acknowledgementTimeout: cluster.limits.connectTimeout, signing: peers.signing(for: peer))
    connection.bePatient()
    connection.answerTimeout = Self.lagMax
    do throws(PeerError) {
      let head = try await connection.receiveHead()
      guard case .stored? = try await connection.response(head, to: ValueRequest(.put, request.key), peer) as Response?
      else { return }
    } catch {
      return link.count(error.kind)
    }
    link.release(connection)
  }

  /// Has all owners throw the bytes away. Whoever does not hear of it does so later by itself.
  func takeBack(_ request: ValueRequest) async {
    await withDiscardingTaskGroup { group in
      for peer in owners { group.addTask { await takeBack(request, from: peer) } }
    }
  }

  private func takeBack(_ request: ValueRequest, from peer: Peer) async {
    var asked = ValueRequest(.delete, request.key)
    asked.upload = upload
    let link = PeerLink(peers: peers, peer: peer, limits: cluster.limits, subject: request.subject, isLook: true)
    let head = PeerProtocol.head(asked, to: peer, mark: cluster.topology.relayMark)
    do throws(ExchangeError) { _ = try await link.text(head, bytesMax: 0) } catch { return }
  }

  private func link(to peer: Peer, _ request: ValueRequest) -> PeerLink {
    PeerLink(peers: peers, peer: peer, limits: cluster.limits, subject: request.subject)
  }
}
