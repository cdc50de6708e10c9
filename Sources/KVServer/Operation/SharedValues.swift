import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import KVWire
import Synchronization

/// Serves requests about keys that other nodes have a say about too, as its coordinator: what the owners decide is done.
struct SharedValues: Sendable {
  /// How often an exchange begins anew because the layout has changed, or somebody else has written.
  private static let attemptsMax = 100
  /// How long it waits before, for a layout that another owner has heard of first.
  private static let pause = Duration.milliseconds(20)

  let own: OwnValues
  let runner: RoundRunner
  let layouts: Layouts

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
    for _ in 0..<Self.attemptsMax {
      guard layouts.current.value.topology.owns(request.key.slot) else { return nil }
      guard let held = try await chosen(request) else { throw .refused(.absent(request.operation, request.key)) }
      guard held.descriptor.kind == .value else { throw .refused(.absent(request.operation, request.key)) }
      let opened = try await withTaskExecutorPreference(own.disk) { () async throws(ExchangeError) in
        let value = try stored(request) { () throws(StoreError) in try own.store.open(request.key) }
        return Handoff(value)
      }
      // Somebody may have written since.
      if let traffic = try await own.send(opened.take(), ifItIs: held.descriptor.upload, to: request, for: &client) {
        return traffic
      }
      guard await waited() else { break }
    }
    throw .refused(Failure(.unavailable, "\(request.subject): it is written all the time"))
  }

  /// What the owners agree on; a round settles it where they do not.
  private func chosen(_ request: ValueRequest) async throws(ExchangeError) -> Held? {
    for _ in 0..<Self.attemptsMax {
      guard let layout = layouts.known else { break }
      switch await runner.read(request.key, layout) {
      case .chosen(let held, let holders, _)? where held == nil || holders.contains { $0 == own(layout) }: return held
      case .chosen?, .unsettled?:
        switch await runner.run(.certainty, request.key, layout, source: nil).outcome {
        case .chosen(let held): return held
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

  private func own(_ layout: Layout) -> Member? { layouts.current.value.topology.ownMember }

  private func unavailable(_ request: ValueRequest) -> Failure {
    Failure(.unavailable, "\(request.subject): too few of its owners can be asked; nothing was done")
  }

  // MARK: PUT and DEL

  private func put(
    _ request: ValueRequest, _ limits: Limits, from client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    let received = try await withTaskExecutorPreference(own.disk) { () async throws(ExchangeError) in
      try await own.receiveToSeal(request, limits, from: &client)
    }
    return try await finishPut(request, received, for: &client)
  }

  /// Has the owners decide about a value whose bytes are here.
  func finishPut(
    _ request: ValueRequest, _ descriptor: KVCluster.Descriptor, for client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    defer { own.store.dropUpload(descriptor.upload, of: request.key) }
    let existed = try await write(descriptor, request, if: WriteCondition(request.preconditions, for: .put))
    try await client.answer(.stored(request.key, checksum: descriptor.checksum, created: !existed))
    return Traffic(receivedBytes: descriptor.valueBytes)
  }

  private func delete(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic {
    let stamp: Ballot
    do throws(SystemError) { stamp = try own.store.votes.stamp() } catch {
      throw .refused(StoreError.failed(error).failure(request.operation, request.key))
    }
    let deletion = KVCluster.Descriptor(
      upload: UploadID(member: stamp.member, counter: stamp.counter), kind: .deletion, valueBytes: 0,
      committedAtNanoseconds: Instant.wallNanoseconds, checksum: ValueChecksum(high: 0, low: 0))
    let existed = try await write(deletion, request, if: WriteCondition(request.preconditions, for: .delete))
    try await client.answer(.deleted(request.key, existed: existed))
    return Traffic()
  }

  /// Writes if the condition holds; whether there was a value before. Nothing is deleted where there is none.
  private func write(
    _ descriptor: KVCluster.Descriptor, _ request: ValueRequest, if condition: WriteCondition
  ) async throws(ExchangeError) -> Bool {
    let seen = Mutex(false)
    let isDeletion = descriptor.kind == .deletion
    let purpose = Round.Purpose(write: descriptor) { present in
      seen.withLock { $0 = present != nil }
      return (present != nil || !isDeletion) && condition.holds(present)
    }
    var mayBeWritten = false
    for _ in 0..<Self.attemptsMax {
      guard let layout = layouts.known, let member = own(layout) else { break }
      let result = await runner.run(
        purpose, request.key, layout, source: member, mayBeWritten: mayBeWritten)
      mayBeWritten = result.mayBeWritten
      switch result.outcome {
      case .chosen: return seen.withLock { $0 }
      case .refused(let held):
        if isDeletion, held?.descriptor.kind != .value { return false }
        throw .refused(StoreError.preconditionFailed.failure(request.operation, request.key))
      case .moved:
        guard await waited() else { throw .refused(mayBeWritten ? unknown(request) : unavailable(request)) }
      case .notWritten: throw .refused(unavailable(request))
      case .unknown: throw .refused(unknown(request))
      }
    }
    throw .refused(mayBeWritten ? unknown(request) : unavailable(request))
  }

  private func unknown(_ request: ValueRequest) -> Failure {
    Failure(.unavailable, "\(request.subject): an owner does not answer, so it is not known whether it was done")
  }
}

extension WriteCondition {
  /// Whether it holds for what a key's owners agree on.
  fileprivate func holds(_ present: KVCluster.Descriptor?) -> Bool {
    let state = present.map { descriptor in
      ValueState(
        checksum: descriptor.checksum,
        modifiedAt: HTTPDate(nanosecondsSince1970: descriptor.committedAtNanoseconds))
    }
    do throws(StoreError) {
      try check(state)
      return true
    } catch {
      return false
    }
  }
}
