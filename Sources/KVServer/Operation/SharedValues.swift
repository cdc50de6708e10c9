import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import KVWire

/// Serves requests about keys that other nodes have a say about too, as its coordinator: what the owners decide is done.
struct SharedValues: Sendable {
  /// How often an exchange begins anew because the layout has changed, or somebody else has written.
  private static let attemptsMax = 100
  /// Up to which size a value is kept in memory while it comes: no more than a connection's buffer for heads.
  private static let sentBytesMax = 16 << 10
  /// How long it waits before, for a layout that another owner has heard of first.
  private static let pause = Duration.milliseconds(20)

  let own: OwnValues
  let runner: RoundRunner
  let writes: Writes
  let layouts: Layouts
  /// What this node lacks is to be had from others.
  let relay: Relay

  /// Does what is asked and answers it.
  func serve(
    _ request: ValueRequest, _ limits: Limits, of client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    switch request.operation {
    case .get, .head: return try await get(request, for: &client)
    case .put: return try await put(request, limits, from: &client)
    case .delete: return try await delete(request, for: &client)
    }
  }

  // MARK: GET

  private func get(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic? {
    do throws(ExchangeError) { return try await getChosen(request, for: &client) } catch {
      guard request.consistency == .any, case .refused(let failure) = error, failure.kind == .unavailable,
        let traffic = try await getPresent(request, for: &client)
      else { throw error }
      return traffic
    }
  }

  /// Answers with what is here although nobody else can be asked about it, or else with what another owner has; nil where
  /// that is nothing: too few know whether there is a value.
  private func getPresent(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic? {
    if let traffic = try await sendOwn(nil, to: request, for: &client) { return traffic }
    let cluster = layouts.current.value
    // Whoever relayed it goes to the next owner by itself.
    guard request.relayed == nil else { return nil }
    do throws(ExchangeError) {
      return try await ask(otherOwners(of: request, cluster), request, cluster, for: &client)
    } catch {
      guard case .refused = error else { throw error }
      return nil
    }
  }

  private func getChosen(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic? {
    for _ in 0..<Self.attemptsMax {
      let cluster = layouts.current.value
      guard cluster.topology.owns(request.key.slot) else { return nil }
      guard let (held, holders) = try await chosen(request), held.descriptor.kind == .value else {
        throw .refused(.absent(request.operation, request.key))
      }
      if let own = cluster.topology.ownMember, holders.contains(own) {
        do throws(ExchangeError) {
          if let traffic = try await sendOwn(held.descriptor.upload, to: request, for: &client) { return traffic }
        } catch {
          // What this disk does not give may lie on another.
          guard case .refused(let failure) = error, failure.kind == .storeFailed, holders != [own] else { throw error }
        }
      }
      if let traffic = try await relay(held, of: holders, request, cluster, to: &client) { return traffic }
      // Somebody has written since.
      guard await waited() else { break }
    }
    throw .refused(Failure(.unavailable, "\(request.subject): it is written all the time"))
  }

  /// Sends what is here if it came with the upload, or without one whatever is here; nil where that is not to be had.
  private func sendOwn(
    _ upload: UploadID?, to request: ValueRequest, for client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    let opened = try await withTaskExecutorPreference(own.disk) { () async throws(ExchangeError) in
      Handoff(try stored(request) { () throws(StoreError) in try own.store.open(request.key) })
    }
    return try await own.send(opened.take(), ifItIs: upload, to: request, for: &client)
  }

  /// Answers from another owner what was agreed on; nil where none has it any more.
  private func relay(
    _ held: Held, of holders: [Member], _ request: ValueRequest, _ cluster: Cluster, to client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    let others = holders.filter { $0 != cluster.topology.ownMember }.compactMap(cluster.topology.peer(of:))
    var asked = request
    asked.upload = held.descriptor.upload
    do throws(ExchangeError) {
      return try await ask(others, asked, cluster, for: &client)
    } catch {
      guard case .refused(let failure) = error, failure.kind == .notFound else { throw error }
      return nil
    }
  }

  /// Has one of these owners answer, the first that can; nil where there is none.
  private func ask(
    _ owners: [Peer], _ request: ValueRequest, _ cluster: Cluster, for client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    guard let first = owners.first else { return nil }
    return try await relay.serve(request, at: first, or: Array(owners.dropFirst()), cluster, of: &client)
  }

  /// What the owners agree on, and who may have it; a round settles it where they do not. Nil where there is nothing.
  private func chosen(_ request: ValueRequest) async throws(ExchangeError) -> (held: Held, holders: [Member])? {
    for _ in 0..<Self.attemptsMax {
      guard let layout = layouts.known else { break }
      switch await runner.read(request.key, layout) {
      case .chosen(nil, _, _)?: return nil
      case .chosen(let held?, let holders, _)? where !holders.isEmpty: return (held, holders)
      case .chosen?, .unsettled?:
        switch await runner.run(.certainty, request.key, layout).outcome {
        case .chosen(let held):
          return held.map { ($0, layout.view(of: request.key.slot).voters) }
        case .moved: guard await waited() else { throw .refused(unavailable(request)) }
        case .refused, .notWritten, .unknown:
          try await tellDamage(request)
          throw .refused(unavailable(request))
        }
      case .unavailable?: throw .refused(unavailable(request))
      case nil: guard await waited() else { throw .refused(unavailable(request)) }
      }
    }
    throw .refused(unavailable(request))
  }

  /// False where the node is stopping.
  private func waited() async -> Bool {
    await IOExecutor.current.wait(until: .after(Self.pause), interruptible: true) == .timedOut
  }

  /// Fails where what lies here is damaged: a reason that says more than that nothing can be decided.
  private func tellDamage(_ request: ValueRequest) async throws(ExchangeError) {
    try await withTaskExecutorPreference(own.disk) { () async throws(ExchangeError) in
      _ = try stored(request) { () throws(StoreError) in try own.store.open(request.key) }
    }
  }

  private func unavailable(_ request: ValueRequest) -> Failure {
    Failure(
      .unavailable, "\(request.subject): too few of its owners can be asked; nothing was done",
      outcome: WriteOutcome.none)
  }

  // MARK: PUT and DEL

  private func put(
    _ request: ValueRequest, _ limits: Limits, from client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    try await checkEarly(request)
    if let traffic = try await putElsewhere(request, from: &client) { return traffic }
    let upload = try newUpload(request)
    if let byteCount = request.valueBytes, byteCount <= Self.sentBytesMax {
      let (descriptor, content) = try await own.receiveToSend(request, limits, as: upload, from: &client)
      return try await decidePut(request, descriptor, content, isStaged: false, for: &client).traffic
    }
    let push = push(of: request, as: upload)
    do throws(ExchangeError) {
      let received = try await withTaskExecutorPreference(own.disk) { () async throws(ExchangeError) in
        try await own.receiveToSeal(request, limits, as: upload, push, from: &client)
      }
      let (traffic, isNeeded) = try await finishPut(request, received, for: &client)
      if !isNeeded, let push { _ = runner.errands.take(about: nil) { await push.takeBack(request) } }
      return traffic
    } catch {
      // Nobody needs the bytes any more. Where it is not known whether the value was stored, they may be all there is of it.
      if let push, case .refused(let failure) = error, failure.outcome != .unknown {
        _ = runner.errands.take(about: nil) { await push.takeBack(request) }
      }
      throw error
    }
  }

  /// Has another owner take the value where this node's disk takes none: its copy is made when it does. Nil where it does.
  private func putElsewhere(
    _ request: ValueRequest, from client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    do throws(StoreError) {
      try own.store.checkRoom(for: request.valueBytes ?? 0)
      return nil
    } catch {
      let cluster = layouts.current.value
      // Whoever relayed it goes to the next owner by itself.
      guard request.relayed == nil, cluster.topology.layout?.hasCopies == true,
        let traffic = try await ask(otherOwners(of: request, cluster), request, cluster, for: &client)
      else { throw .refused(error.failure(request.operation, request.key)) }
      return traffic
    }
  }

  private func otherOwners(of request: ValueRequest, _ cluster: Cluster) -> [Peer] {
    guard let layout = cluster.topology.layout else { return [] }
    return layout.view(of: request.key.slot).voters.filter { $0 != cluster.topology.ownMember }
      .compactMap(cluster.topology.peer(of:))
  }

  private func newUpload(_ request: ValueRequest) throws(ExchangeError) -> UploadID {
    do throws(SystemError) {
      let stamp = try own.store.votes.stamp()
      return UploadID(member: stamp.member, counter: stamp.counter)
    } catch {
      throw .refused(StoreError.failed(error).failure(request.operation, request.key))
    }
  }

  /// How the bytes get to the other owners; nil where they are so few that they go along with the question.
  private func push(of request: ValueRequest, as upload: UploadID) -> UploadPush? {
    if let byteCount = request.valueBytes, byteCount <= SmallContent.bytesMax { return nil }
    let cluster = layouts.current.value
    guard let layout = cluster.topology.layout else { return nil }
    return UploadPush(
      peers: relay.peers, pipes: relay.pipes, cluster: cluster, upload: upload,
      owners: otherOwners(of: request, cluster),
      countMin: layout.view(of: request.key.slot).owners.count / 2)
  }

  /// Spares whoever's condition fails already the way of the bytes.
  private func checkEarly(_ request: ValueRequest) async throws(ExchangeError) {
    guard !request.preconditions.isEmpty else { return }
    let held = try await chosen(request)?.held
    let present = held?.descriptor.kind == .value ? held?.descriptor : nil
    // Its own earlier attempt holds nothing against it.
    if let token = request.token, present?.request == token { return }
    if !WriteCondition(request.preconditions, for: .put).holds(present) {
      throw .refused(StoreError.preconditionFailed.failure(request.operation, request.key))
    }
  }

  /// Has the owners decide about a value whose bytes are here. Nobody needs these where the same value is there already, by
  /// an earlier attempt.
  func finishPut(
    _ request: ValueRequest, _ descriptor: KVCluster.Descriptor, for client: inout Client
  ) async throws(ExchangeError) -> (traffic: Traffic, isNeeded: Bool) {
    let content = try await withTaskExecutorPreference(own.disk) { () async throws(ExchangeError) in
      try stored(request) { () throws(StoreError) in try own.store.smallContent(of: descriptor, request.key) }
    }
    return try await decidePut(request, descriptor, content, isStaged: true, for: &client)
  }

  private func decidePut(
    _ request: ValueRequest, _ descriptor: KVCluster.Descriptor, _ content: SmallContent?, isStaged: Bool,
    for client: inout Client
  ) async throws(ExchangeError) -> (traffic: Traffic, isNeeded: Bool) {
    let written: Written
    do throws(ExchangeError) { written = try await write(descriptor, content, request) } catch {
      // Where it is decided, or may be, this disk may still be at it.
      if isStaged, case .refused(let failure) = error, failure.outcome != .unknown {
        await drop(descriptor, of: request.key)
      }
      throw error
    }
    if isStaged, !written.isNew { await drop(descriptor, of: request.key) }
    let created = written.existed.map { !$0 }
    try await client.answer(.stored(request.key, checksum: descriptor.checksum, created: created))
    return (Traffic(receivedBytes: descriptor.valueBytes), isNeeded: written.isNew)
  }

  private func drop(_ descriptor: KVCluster.Descriptor, of key: Key) async {
    await withTaskExecutorPreference(own.disk) { own.store.dropUpload(descriptor.upload, of: key) }
  }

  private func delete(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic {
    let deletion = KVCluster.Descriptor(
      upload: try newUpload(request), kind: .deletion, valueBytes: 0,
      committedAtNanoseconds: Instant.wallNanoseconds, checksum: ValueChecksum(high: 0, low: 0))
    let written = try await write(deletion, nil, request)
    try await client.answer(.deleted(request.key, existed: written.existed ?? true))
    return Traffic()
  }

  /// What came of a write that was made.
  private struct Written {
    /// Whether there was a value before, where that can be told.
    let existed: Bool?
    /// Whether it was made now, and not by an earlier attempt.
    var isNew = true
  }

  /// Writes if the condition holds. Nothing is deleted where there is none.
  private func write(
    _ descriptor: KVCluster.Descriptor, _ content: SmallContent?, _ request: ValueRequest
  ) async throws(ExchangeError) -> Written {
    let order = Writes.Order(
      key: request.key, descriptor: descriptor, content: content, preconditions: request.preconditions)
    switch await writes.decide(order) {
    case .done(let existed): return Written(existed: existed)
    case .doneBefore: return Written(existed: nil, isNew: false)
    case .refused(exists: false) where descriptor.kind == .deletion: return Written(existed: false)
    case .repeatedOtherwise:
      throw .refused(StoreError.repeatedOtherwise.failure(request.operation, request.key))
    case .refused: throw .refused(StoreError.preconditionFailed.failure(request.operation, request.key))
    case .notWritten, .moved: throw .refused(unavailable(request))
    case .unknown: throw .refused(unknown(request))
    }
  }

  private func unknown(_ request: ValueRequest) -> Failure {
    Failure(
      .unavailable, "\(request.subject): an owner does not answer, so it is not known whether it was done",
      outcome: .unknown)
  }
}
