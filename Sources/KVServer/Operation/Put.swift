import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import KVWire

extension OwnValues {
  /// Receives a value, commits it and answers. On the disk threads.
  func put(
    _ request: ValueRequest, _ limits: Limits, _ epoch: UInt64, from client: inout Client
  ) async throws(ExchangeError) -> OwnOutcome {
    let size = ValueSize(of: request, limits: limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    let condition = WriteCondition(request.preconditions, for: .put, repeating: request.token)
    var digests = BodyDigests(request.digests)
    do throws(StoreError) { try store.check(condition, request.key) } catch {
      // What is here may be out of date, and nothing has been received yet.
      if case .preconditionFailed = error, !store.isAlone(request.key, since: epoch) { return .notDone }
      throw .refused(error.failure(request.operation, request.key))
    }
    var value = try stored(request) { () throws(StoreError) in
      try store.stage(request.key, byteCount: request.valueBytes, epoch: epoch)
    }
    value.request = request.token
    try await receive(&value, request, size, &digests, from: &client)
    let commit: StagedValue.Commit
    do throws(StoreError) {
      commit = try await value.commit(fields: request.fields, if: condition)
    } catch {
      if case .shared = error { return .shared(try await seal(&value, request)) }
      throw .refused(error.failure(request.operation, request.key))
    }
    try await client.answer(.stored(request.key, checksum: commit.attribute.checksum, created: commit.created))
    return .done(Traffic(receivedBytes: value.byteCount))
  }

  /// Receives a value that others have a say about too, and keeps it ready for them; `push` brings it to them meanwhile. On
  /// the disk threads.
  func receiveToSeal(
    _ request: ValueRequest, _ limits: Limits, as upload: UploadID, _ push: UploadPush? = nil,
    from client: inout Client
  ) async throws(ExchangeError) -> KVCluster.Descriptor {
    let size = ValueSize(of: request, limits: limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    var digests = BodyDigests(request.digests)
    var value = try stored(request) { () throws(StoreError) in
      try store.stage(request.key, byteCount: request.valueBytes)
    }
    value.request = request.token
    let receivers = await push?.begin(request) ?? []
    guard let push, !receivers.isEmpty else {
      try await receive(&value, request, size, &digests, from: &client)
      return try await seal(&value, request, as: upload)
    }
    try await client.invite()
    _ = try await push.run(&client.body, from: &client.stream, to: receivers, request) { bytes in
      digests.update(bytes)
      do throws(StoreError) { try value.append(bytes) } catch { return error.failure(.put, request.key) }
      do throws(Failure) { try size.check(value.byteCount) } catch { return error }
      return nil
    }
    try refusing { () throws(Failure) in
      try size.checkComplete(value.byteCount)
      try digests.check(request)
    }
    let descriptor = try await seal(&value, request, as: upload)
    await push.finish(receivers, request)
    return descriptor
  }

  /// Receives a value that is so small that it goes along with the question to all owners, this disk among them.
  func receiveToSend(
    _ request: ValueRequest, _ limits: Limits, as upload: UploadID, from client: inout Client
  ) async throws(ExchangeError) -> (KVCluster.Descriptor, SmallContent) {
    let size = ValueSize(of: request, limits: limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    var digests = BodyDigests(request.digests)
    let checksum = Checksum()
    var value: [UInt8] = []
    try await receive(request, size, &digests, from: &client) { bytes in
      checksum.update(bytes)
      value.append(copying: bytes)
      return nil
    }
    let descriptor = KVCluster.Descriptor(
      upload: upload, kind: .value, valueBytes: value.count, committedAtNanoseconds: Instant.wallNanoseconds,
      checksum: checksum.value, request: request.token)
    return (descriptor, SmallContent(bytes: value, fields: request.fields))
  }

  /// Small values are made durable when they are accepted, which is soon.
  private func seal(
    _ value: inout StagedValue, _ request: ValueRequest, as upload: UploadID? = nil
  ) async throws(ExchangeError) -> KVCluster.Descriptor {
    let isDurable = value.byteCount > SmallContent.bytesMax
    do throws(StoreError) { return try await value.seal(request.fields, as: upload, isDurable: isDurable) } catch {
      throw .refused(error.failure(request.operation, request.key))
    }
  }

  private func receive(
    _ value: inout StagedValue, _ request: ValueRequest, _ size: ValueSize, _ digests: inout BodyDigests,
    from client: inout Client
  ) async throws(ExchangeError) {
    try await receive(request, size, &digests, from: &client) { bytes in
      do throws(StoreError) { try value.append(bytes) } catch { return error.failure(.put, request.key) }
      return nil
    }
  }

  /// Receives a value to its end and checks it; `store` gets each piece, and says why it does not go on.
  private func receive(
    _ request: ValueRequest, _ size: ValueSize, _ digests: inout BodyDigests, from client: inout Client,
    store: (RawSpan) -> Failure?
  ) async throws(ExchangeError) {
    try await client.invite()
    var turn = Turn()
    var byteCount = 0
    while !client.body.isComplete {
      var failure: Failure?
      let moved: Int?
      do throws(BodyError) {
        moved = try client.body.pass(from: &client.stream) { bytes in
          digests.update(bytes)
          failure = store(bytes)
        }
      } catch {
        throw ExchangeError(error, receiving: request.subject)
      }
      if let failure { throw .refused(failure) }
      guard let count = moved else {
        try await client.stream.waitForBody(about: request)
        continue
      }
      byteCount += count
      try refusing { () throws(Failure) in try size.check(byteCount) }
      await turn.moved(count)
    }
    try refusing { () throws(Failure) in
      try size.checkComplete(byteCount)
      try digests.check(request)
    }
  }
}

extension ValueRequest {
  /// By what it is recognised when it comes once more.
  var token: RequestToken? { idempotencyKey.map { RequestToken($0) } }
}

/// A value's bytes on their way into the store, from another node.
extension StagedValue {
  /// Writes what has arrived of a body; nil where nothing has arrived.
  mutating func append(
    from body: inout BodyReader, _ stream: inout Stream, about request: ValueRequest
  ) throws(ExchangeError) -> Int? {
    var failure: StoreError?
    let count: Int?
    do throws(BodyError) {
      count = try body.pass(from: &stream) { bytes in
        do throws(StoreError) { try append(bytes) } catch { failure = error }
      }
    } catch {
      throw ExchangeError(error, receiving: request.subject)
    }
    if let failure { throw .refused(failure.failure(.put, request.key)) }
    return count
  }
}

extension Stream {
  /// Waits until more of a body has arrived.
  func waitForBody(about request: ValueRequest) async throws(ExchangeError) {
    do throws(StreamError) { try await wait(.readable, urgency: .bulk) } catch {
      throw ExchangeError(.stream(error), receiving: request.subject)
    }
  }
}
