import KVCore
import KVHTTP
import KVLinux
import KVStore
import KVWire

extension OwnValues {
  /// Up to which size a value is read whole, where the page cache has it.
  private static let cachedBytesMax = 64 << 10
  /// How much sendfile(2) is asked to move at a time: a call that reads cold pages holds its thread so long.
  private static let sendBytesMax = 2 << 20

  /// Answers a GET or HEAD. A value is opened, and what is known of it read, once.
  ///
  /// Where the kernel has all of a small value in memory, and the way to it, this happens on the network threads: a
  /// change of threads would cost more than the rest. All else is for the disk threads.
  func get(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic {
    let opened = store.openCached(request.key)
    if let traffic = try await sendCached(opened, to: request, for: &client) { return traffic }
    // The value goes along, to be closed there: the last to close one that was deleted meanwhile frees its space.
    let handoff = Handoff(opened)
    return try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
      guard let value = try open(request, unless: handoff.take()) else {
        throw .refused(.absent(request.operation, request.key))
      }
      return try await send(value, to: request, for: &client)
    }
  }

  /// Sends a value if it is the one that came with the upload; nil where it is not. Without an upload it is sent whichever it
  /// is, and said that too few owners could be asked about it.
  func send(
    _ value: consuming StoredValue?, ifItIs upload: UploadID?, to request: ValueRequest, for client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    guard let value = consume value else { return nil }
    if let upload, value.attribute?.upload != upload { return nil }
    let handoff = Handoff(value)
    return try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
      try await send(handoff.take(), to: request, isCopied: true, upload == nil ? .any : .majority, for: &client)
    }
  }

  private func open(
    _ request: ValueRequest, unless opened: consuming StoredValue?
  ) throws(ExchangeError) -> StoredValue? {
    if let value = consume opened { return value }
    return try stored(request) { () throws(StoreError) in try store.open(request.key) }
  }

  /// Answers where that takes no disk; nil where it does.
  private func sendCached(
    _ value: borrowing StoredValue?, to request: ValueRequest, for client: inout Client
  ) async throws(ExchangeError) -> Traffic? {
    switch value {
    case .none: return nil
    case .some(let value):
      let response = ReadOutcome.response(to: request, value.head, now: .now)
      if case .failure(let failure) = response { throw .refused(failure) }
      guard let bytes = Self.cachedBytes(of: value, response, request) else { return nil }
      try await client.answer(response, value: bytes)
      return Traffic(sentBytes: bytes.count)
    }
  }

  /// The bytes that follow a response's head, if they take no disk.
  private static func cachedBytes(
    of value: borrowing StoredValue, _ response: Response, _ request: ValueRequest
  ) -> [UInt8]? {
    guard case .value(let head) = response else { return [] }
    if request.operation == .head { return [] }
    return head.offsets.count <= cachedBytesMax ? value.file.cachedBytes(head.offsets) : nil
  }

  /// Sends a value, as far as it is asked for. On the disk threads. Where others have copies of it, a node that passes it on
  /// is told which it is.
  func send(
    _ value: borrowing StoredValue, to request: ValueRequest, isCopied: Bool = false,
    _ consistency: ReadConsistency = .majority, for client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    let (response, offsets) = try Self.response(to: request, value, isCopied, consistency)
    try await client.answer(response)
    guard let offsets else { return Traffic() }
    try await send(value.file, offsets, to: client)
    client.endValue()
    return Traffic(sentBytes: offsets.count)
  }

  /// The response, and which bytes of the value follow it.
  private static func response(
    to request: ValueRequest, _ value: borrowing StoredValue, _ isCopied: Bool, _ consistency: ReadConsistency
  ) throws(ExchangeError) -> (Response, Range<Int>?) {
    var head = value.head
    head.consistency = consistency
    if isCopied, request.relayed != nil { head.upload = value.attribute?.upload }
    let response = ReadOutcome.response(to: request, head, now: .now)
    if case .failure(let failure) = response { throw .refused(failure) }
    guard request.operation == .get, case .value(let head) = response else { return (response, nil) }
    return (response, head.offsets)
  }

  private func send(
    _ file: borrowing File, _ offsets: Range<Int>, to client: borrowing Client
  ) async throws(ExchangeError) {
    file.expectSequentialReading()
    var readBehind = ReadBehind(offsets: offsets, memoryBytes: Process.memoryBytes)
    var turn = Turn()
    var offset = offsets.lowerBound
    while offset < offsets.upperBound {
      let bytesMax = min(Self.sendBytesMax, offsets.upperBound - offset)
      let result: TransferResult
      do throws(StreamError) {
        result = try client.stream.sendNow(file, at: &offset, bytesMax: bytesMax)
        if result == .wouldBlock { try await client.stream.wait(.writable, urgency: .bulk) }
      } catch {
        throw .broken(reason: "sending stopped at \(offset) of \(offsets.upperBound) bytes: \(error)")
      }
      switch result {
      case .moved(let count):
        if let passed = readBehind.advanced(to: offset) { file.dropCached(passed) }
        await turn.moved(count)
      case .wouldBlock: continue
      case .end: throw .broken(reason: "the stored file ends at \(offset) of \(offsets.upperBound) bytes")
      }
    }
  }
}
