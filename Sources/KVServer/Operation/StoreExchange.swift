import KVCore
import KVLinux
import KVStore
import KVWire

/// Serves a request from this node's own store, on the disk threads.
struct StoreExchange {
  /// How much sendfile(2) is asked to move at a time: a call that reads cold pages holds its thread so long.
  private static let sendBytesMax = 2 << 20

  let node: Node
  let limits: Limits

  /// Up to which size a value is read whole, where the page cache has it.
  private static let cachedBytesMax = 64 << 10

  /// Does what is asked and answers it.
  func serve(_ request: ValueRequest, of client: inout Client) async throws(ExchangeError) -> Traffic {
    if let traffic = try await serveFromMemory(request, to: &client) { return traffic }
    return try await serveFromDisk(request, of: &client)
  }

  /// Answers a GET or HEAD of a small value without leaving the network threads, if the kernel has all of it in
  /// memory: a change of threads would cost more than the rest. Nil where the disk threads must see to it.
  private func serveFromMemory(_ request: ValueRequest, to client: inout Client) async throws(ExchangeError) -> Traffic?
  {
    guard request.operation == .get || request.operation == .head, let value = node.store.openCached(request.key),
      case .value(let head) = ReadOutcome.response(to: request, value.head, now: .now)
    else { return nil }
    if request.operation == .head {
      try await client.answer(.value(head))
      return Traffic()
    }
    guard head.offsets.count <= Self.cachedBytesMax, let bytes = value.file.cachedBytes(head.offsets) else {
      return nil
    }
    try await client.answer(.value(head), value: bytes)
    return Traffic(sentBytes: bytes.count)
  }

  private func serveFromDisk(_ request: ValueRequest, of client: inout Client) async throws(ExchangeError) -> Traffic {
    try await withTaskExecutorPreference(node.disk) { () async throws(ExchangeError) in
      switch request.operation {
      case .put: try await put(request, from: &client)
      case .get, .head: try await get(request, for: &client)
      case .delete: try await delete(request, for: &client)
      }
    }
  }

  private func put(_ request: ValueRequest, from client: inout Client) async throws(ExchangeError) -> Traffic {
    let size = ValueSize(of: request, limits: limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    let condition = WriteCondition(request.preconditions, for: .put, now: .now)
    var value = try stored(request) { () throws(StoreError) in
      try node.store.check(condition, request.key)
      return try node.store.stage(request.key, byteCount: request.valueBytes)
    }
    try await receive(&value, size, from: &client)
    let commit = try stored(request) { () throws(StoreError) in
      try value.commit(contentType: request.contentType, if: condition)
    }
    try await client.answer(.stored(request.key, checksum: commit.attribute.checksum, created: commit.created))
    return Traffic(receivedBytes: value.byteCount)
  }

  private func receive(
    _ value: inout StagedValue, _ size: ValueSize, from client: inout Client
  ) async throws(ExchangeError) {
    try await client.invite()
    var turn = Turn()
    while true {
      let step: BodyReader.Step
      do throws(BodyError<StoreError>) {
        step = try client.stepBody { bytes throws(StoreError) in try value.append(bytes) }
      } catch {
        throw ExchangeError(error, receiving: size.request)
      }
      switch step {
      case .moved(let count):
        try refusing { () throws(Failure) in try size.check(value.byteCount) }
        await turn.moved(count)
      case .wouldBlock: try await client.waitForBody(of: size.request)
      case .complete: return try refusing { () throws(Failure) in try size.checkComplete(value.byteCount) }
      }
    }
  }

  private func get(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic {
    let opened = try stored(request) { () throws(StoreError) in try node.store.open(request.key) }
    guard let value = opened else {
      if request.preconditions.evaluate(nil, for: request.operation, now: .now) == .failed {
        throw .refused(StoreError.preconditionFailed.failure(request.operation, request.key))
      }
      throw .refused(.absent(request.operation, request.key))
    }
    let response = ReadOutcome.response(to: request, value.head, now: .now)
    if case .failure(let failure) = response { throw .refused(failure) }
    try await client.answer(response)
    guard request.operation == .get, case .value(let head) = response else { return Traffic() }
    try await send(value.file, head.offsets, to: client)
    return Traffic(sentBytes: head.offsets.count)
  }

  private func send(
    _ file: borrowing File, _ offsets: Range<Int>, to client: borrowing Client
  ) async throws(ExchangeError) {
    client.beginValue()
    file.expectSequentialReading()
    var readBehind = ReadBehind(offsets: offsets, memoryBytes: Process.memoryBytes)
    var turn = Turn()
    var offset = offsets.lowerBound
    while offset < offsets.upperBound {
      let bytesMax = min(Self.sendBytesMax, offsets.upperBound - offset)
      let result: TransferResult
      do throws(SystemError) {
        result = try client.stream.socket.send(file: file, at: &offset, bytesMax: bytesMax)
      } catch {
        throw .broken(reason: "sending stopped at \(offset) of \(offsets.upperBound) bytes: \(error)")
      }
      switch result {
      case .moved(let count):
        if let passed = readBehind.advanced(to: offset) { file.dropCached(passed) }
        await turn.moved(count)
      case .wouldBlock: try await client.waitToSend()
      case .end: throw .broken(reason: "the stored file ends at \(offset) of \(offsets.upperBound) bytes")
      }
    }
    client.endValue()
  }

  private func delete(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic {
    let condition = WriteCondition(request.preconditions, for: .delete, now: .now)
    let existed = try stored(request) { () throws(StoreError) in try node.store.delete(request.key, if: condition) }
    try await client.answer(.deleted(request.key, existed: existed))
    return Traffic()
  }

  private func stored<Result: ~Copyable>(
    _ request: ValueRequest, _ call: () throws(StoreError) -> Result
  ) throws(ExchangeError) -> Result {
    do throws(StoreError) { return try call() } catch { throw .refused(error.failure(request.operation, request.key)) }
  }
}
