import KVCore
import KVLinux

/// Serves a request from this node's own store, on the disk threads.
struct StoreExchange {
  /// How much sendfile(2) is asked to move at a time: a call that reads cold pages holds its thread so long.
  private static let sendBytesMax = 2 << 20

  let node: Node
  let limits: Limits

  /// Does what is asked and answers it.
  func serve(_ request: Request, of client: inout Client) async throws(ExchangeError) {
    try await withTaskExecutorPreference(node.disk) { () async throws(ExchangeError) in
      switch request.operation {
      case .put: try await put(request, from: &client)
      case .get: try await get(request, for: &client)
      case .delete: try await delete(request, for: &client)
      }
    }
  }

  private func put(_ request: Request, from client: inout Client) async throws(ExchangeError) {
    let size = ValueSize(of: request, limits: limits)
    try refusing { () throws(Failure) in try size.checkStated() }
    var value = try stored(request) { () throws(StoreError) in
      try node.store.stage(request.key, byteCount: request.valueBytes)
    }
    try await receive(&value, size, from: &client)
    let attribute = try stored(request) { () throws(StoreError) in try value.commit() }
    try await client.answer(.stored(request.key, checksum: attribute.checksum))
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

  private func get(_ request: Request, for client: inout Client) async throws(ExchangeError) {
    let opened = try stored(request) { () throws(StoreError) in try node.store.open(request.key) }
    guard let value = opened else { throw .refused(.absent(request)) }
    try await client.answer(.value(ValueHead(byteCount: value.byteCount, checksum: value.attribute?.checksum)))
    var turn = Turn()
    var offset = 0
    while offset < value.byteCount {
      let bytesMax = min(Self.sendBytesMax, value.byteCount - offset)
      let result: TransferResult
      do throws(SystemError) {
        result = try client.stream.socket.send(file: value.file, at: &offset, bytesMax: bytesMax)
      } catch {
        throw .broken(reason: "sending stopped at \(offset) of \(value.byteCount) bytes: \(error)")
      }
      switch result {
      case .moved(let count): await turn.moved(count)
      case .wouldBlock: try await client.waitToSend()
      case .end: throw .broken(reason: "the stored file has only \(offset) of \(value.byteCount) bytes")
      }
    }
  }

  private func delete(_ request: Request, for client: inout Client) async throws(ExchangeError) {
    let existed = try stored(request) { () throws(StoreError) in try node.store.delete(request.key) }
    try await client.answer(.deleted(existed: existed))
  }

  private func stored<Result: ~Copyable>(
    _ request: Request, _ call: () throws(StoreError) -> Result
  ) throws(ExchangeError) -> Result {
    do throws(StoreError) { return try call() } catch { throw .refused(error.failure(request.operation, request.key)) }
  }
}
