import KVCore
import KVLinux
import KVStore

/// What other nodes want of an upload: its bytes, to bring some, or to take them back. Nothing is decided here.
extension OwnValues {
  /// Answers what is asked about an upload.
  func serve(
    _ upload: UploadID, _ request: ValueRequest, _ limits: Limits, of client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
      switch request.operation {
      case .get, .head: return try await send(upload, request, to: &client)
      case .put:
        let descriptor = try await receiveToSeal(request, limits, as: upload, from: &client)
        try await client.answer(.stored(request.key, checksum: descriptor.checksum, created: true))
        return Traffic(receivedBytes: descriptor.valueBytes)
      case .delete:
        store.dropUpload(upload, of: request.key)
        try await client.answer(.deleted(request.key, existed: true))
        return Traffic()
      }
    }
  }

  private func send(
    _ upload: UploadID, _ request: ValueRequest, to client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    let opened = try stored(request) { () throws(StoreError) in try store.open(upload, of: request.key) }
    guard let value = opened else { throw .refused(.absent(request.operation, request.key)) }
    return try await send(value, to: request, for: &client)
  }
}
