import KVCore
import KVHTTP
import KVLinux
import KVStore
import KVWire

/// Serves requests about the keys that this node owns, from its own store.
struct OwnValues: Sendable {
  let store: Store
  /// Where calls may block on the disk.
  let disk: IOExecutor

  /// Does what is asked and answers it.
  func serve(
    _ request: ValueRequest, _ limits: Limits, of client: inout Client
  ) async throws(ExchangeError) -> Traffic {
    switch request.operation {
    case .get, .head: return try await get(request, for: &client)
    case .put:
      return try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
        try await put(request, limits, from: &client)
      }
    case .delete:
      return try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
        try await delete(request, for: &client)
      }
    }
  }

  private func delete(_ request: ValueRequest, for client: inout Client) async throws(ExchangeError) -> Traffic {
    let condition = WriteCondition(request.preconditions, for: .delete)
    let existed: Bool
    do throws(StoreError) {
      existed = try await store.delete(request.key, if: condition)
    } catch {
      throw .refused(error.failure(request.operation, request.key))
    }
    try await client.answer(.deleted(request.key, existed: existed))
    return Traffic()
  }
}
