import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVWire

/// The path of every request, from the socket to the response. Each connection holds it, so it is shared.
final class Serve: Sendable {
  /// How often a request is looked at anew because the layout has changed.
  private static let attemptsMax = 5
  /// How long a request waits for what the other nodes say of the layout, after a start.
  private static let layoutWait = Duration.seconds(10)
  private static let layoutPause = Duration.milliseconds(20)

  let current: CurrentCluster
  let own: OwnValues
  let shared: SharedValues
  let relay: Relay
  let listing: Listing
  let status: OwnStatus
  let desk: MessageDesk
  let record: Record
  private let access: AccessControl
  private let certificate: ServerCertificate

  init(
    current: CurrentCluster, own: OwnValues, shared: SharedValues, relay: Relay, listing: Listing, status: OwnStatus,
    desk: MessageDesk, record: Record, access: AccessControl, certificate: ServerCertificate
  ) {
    (self.access, self.certificate) = (access, certificate)
    (self.current, self.own, self.shared, self.relay) = (current, own, shared, relay)
    (self.listing, self.status, self.desk, self.record) = (listing, status, desk, record)
  }

  /// Serves one connection until it ends.
  func connection(_ stream: consuming Stream, _ place: consuming Place) async {
    var client = Client(stream, place, current.value)
    guard await isEncryptedAsOffered(&client) else { return }
    var turn = Turn()
    while client.isOpen {
      let arrival = await client.nextRequest()
      if case .gone = arrival { break }
      await serve(arrival, of: &client)
      await turn.served()
    }
    await client.close()
  }

  /// Goes through the handshake with those that begin one. False where that fails: then there is nobody to answer.
  private func isEncryptedAsOffered(_ client: inout Client) async -> Bool {
    guard let context = certificate.context else { return true }
    do throws(StreamError) {
      try await client.acceptTLS(context)
      record.began(client.stream)
      return true
    } catch {
      // What OpenSSL has said of the reason is to get there.
      client.stream.setResetOnClose(false)
      if case .tls(let reason) = error { record.failedHandshake(reason, of: client) }
      return false
    }
  }

  /// One request: whoever is admitted and has access is answered, and all is recorded.
  private func serve(_ arrival: Client.Arrival, of client: inout Client) async {
    let cluster = current.value
    let route = Self.route(arrival, cluster.topology)
    let caller = access.caller(client, cluster.configuration.access)
    await record.exchange(RequestAbout(arrival, route, caller), of: &client) { client throws(ExchangeError) in
      switch arrival {
      case .gone: return Traffic()
      case .refused(let failure): throw .refused(failure)
      case .request(let request):
        try await admit(request, from: caller, cluster, &client)
        return try await answer(request, route, cluster, to: &client)
      }
    }
  }

  /// Refuses what may not be asked, and whoever there is no place for. Who only claims to be a node takes no node's place.
  private func admit(
    _ request: Request, from caller: Caller, _ cluster: Cluster, _ client: inout Client
  ) async throws(ExchangeError) {
    let doubt = request.relayed.flatMap { access.doubt(about: $0, request, at: client, cluster) }
    let isNode = request.relayed != nil && doubt == nil
    guard client.isAdmitted(asPeer: isNode) else {
      record.refusedConnection()
      throw .refused(.tooManyConnections(at: cluster.configuration.nodeName))
    }
    if let doubt { throw .refused(doubt) }
    if !isNode { try await access.check(request, from: caller, at: client, cluster.configuration) }
  }

  /// Where a request about a value goes; all else is this node's own affair.
  private static func route(_ arrival: Client.Arrival, _ topology: Topology) -> Topology.Route {
    guard case .request(.value(let request)) = arrival, request.upload == nil else { return .own(.alone) }
    return topology.route(request.key.slot, relayedBy: request.relayed, about: request.subject)
  }

  private func answer(
    _ request: Request, _ route: Topology.Route, _ cluster: Cluster, to client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    if !request.hasBody { try await client.receiveEmptyBody(request) }
    switch request {
    case .value(var request):
      if let upload = request.upload { return try await own.serve(upload, request, cluster.limits, of: &client) }
      if request.operation.isRead, request.consistency == nil, request.relayed == nil {
        // The node that was asked goes by its own setting, whoever answers for it.
        request.consistency = cluster.configuration.cluster.reads
      }
      return try await answer(request, route, cluster, to: &client)
    case .list(let request):
      try await answer(request, cluster, to: &client)
    case .node(let request, _):
      try await client.answer(status.answer(request, cluster))
    case .message:
      let message = try await client.receiveMessage(request)
      try await client.answer(.message(try await desk.answer(message)))
    }
    return Traffic()
  }

  private func answer(
    _ request: ListRequest, _ cluster: Cluster, to client: inout Client
  ) async throws(ExchangeError) {
    let page = try await page(request, cluster).written(as: request.format)
    try await client.answer(request.format == .json ? .json(page) : .text(String(decoding: page, as: UTF8.self)))
  }

  /// The owner of a value decides whether the store here or a relay to the owner answers. Where another layout came into
  /// force meanwhile, what was found by the old one says nothing.
  private func answer(
    _ request: ValueRequest, _ route: Topology.Route, _ cluster: Cluster, to client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    var (route, cluster) = (route, cluster)
    if desk.layouts.heard.twinName != nil
      || cluster.topology.layoutVersion == nil && !cluster.configuration.peers.isEmpty
    {
      try await knowLayout(about: request.subject)
      (cluster, route) = refreshed(request)
    }
    for attempt in 1...Self.attemptsMax {
      do throws(ExchangeError) {
        if let traffic = try await answerOnce(request, route, cluster, to: &client) { return traffic }
      } catch {
        guard attempt < Self.attemptsMax, case .refused(let failure) = error, failure.kind == .misdirected,
          await isOutdated(cluster, at: route)
        else { throw error }
      }
      (cluster, route) = refreshed(request)
    }
    throw .refused(Failure(.unavailable, "\(request.subject): the layout is changing; try again"))
  }

  /// Answers by what is known of the layout; nil where the layout has changed, and nothing was done.
  private func answerOnce(
    _ request: ValueRequest, _ route: Topology.Route, _ cluster: Cluster, to client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    switch route {
    case .own(let say) where say.isShared:
      return try await shared.serve(request, cluster.limits, of: &client)
    case .own(let say):
      switch try await own.serve(request, cluster.limits, since: say.epoch, of: &client) {
      case .done(let traffic): return traffic
      case .shared(let descriptor): return try await shared.finishPut(request, descriptor, for: &client).traffic
      case .notDone: return nil
      }
    case .peer(let owner, let others):
      return try await relay.serve(request, at: owner, or: others, cluster, of: &client)
    case .refused(let failure): throw .refused(failure)
    case .behind(let name):
      await desk.catchUp(with: name, cluster)
      return nil
    }
  }

  /// Waits a moment until the other nodes have said whether there is a layout.
  private func knowLayout(about subject: String) async throws(ExchangeError) {
    let deadline = Instant.after(Self.layoutWait)
    while let reason = desk.layouts.ignorance {
      guard Instant.now < deadline,
        await IOExecutor.current.wait(until: .after(Self.layoutPause), interruptible: true) == .timedOut
      else { throw .refused(Failure(.unavailable, "\(subject): \(reason)")) }
    }
  }

  private func refreshed(_ request: ValueRequest) -> (Cluster, Topology.Route) {
    let cluster = current.value
    return (cluster, cluster.topology.route(request.key.slot, relayedBy: request.relayed, about: request.subject))
  }

  /// While values move, the nodes go by different layouts for moments; a page must be by one.
  private func page(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> ListPage {
    var cluster = cluster
    if let mark = request.relayed, cluster.topology.isBehind(mark) {
      await desk.catchUp(with: mark.node, cluster)
      cluster = current.value
    }
    var deadline: Instant?
    while true {
      do throws(ExchangeError) {
        let page = try await listing.page(request, cluster)
        if current.value.topology.layoutVersion == cluster.topology.layoutVersion { return page }
        throw .refused(Failure(.misdirected, "LIST: the layout has changed meanwhile"))
      } catch {
        // From the first time on, for that may have waited long for an index.
        let end = deadline ?? .after(Self.layoutWait)
        deadline = end
        guard case .refused(let failure) = error, failure.kind == .misdirected, request.relayed == nil,
          (current.value.topology.layoutVersion ?? cluster.topology.layoutVersion) != nil, Instant.now < end,
          await IOExecutor.current.wait(until: .after(Self.layoutPause), interruptible: true) == .timedOut
        else { throw error }
      }
      cluster = current.value
    }
  }

  /// Whether another layout is in force by now. A node that says that it is not the owner, which it does before anything of
  /// a value has gone, may know of a later one.
  private func isOutdated(_ cluster: Cluster, at route: Topology.Route) async -> Bool {
    if let owner = route.peer { await desk.catchUp(with: owner.name, cluster) }
    return current.value.topology.layoutVersion != cluster.topology.layoutVersion
  }
}
