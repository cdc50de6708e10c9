import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import KVWire

/// What came of a request that this node wanted to serve on its own.
enum OwnOutcome {
  case done(Traffic)
  /// The value is here, but others have got a say about its key meanwhile.
  case shared(KVCluster.Descriptor)
  /// Others have got a say about its key; nothing was done.
  case notDone
}

/// Serves requests about the keys that this node owns, from its own store.
struct OwnValues: Sendable {
  let store: Store
  /// Where calls may block on the disk.
  let disk: IOExecutor

  /// Does what is asked and answers it, if this node has decided about the key alone since the layout of that version.
  func serve(
    _ request: ValueRequest, _ limits: Limits, since epoch: UInt64, of client: inout Client
  ) async throws(ExchangeError) -> OwnOutcome {
    switch request.operation {
    case .get, .head:
      do throws(ExchangeError) { return .done(try await get(request, for: &client)) } catch {
        // It may have gone to another node meanwhile.
        guard case .refused(let failure) = error, failure.kind == .notFound, !store.isAlone(request.key, since: epoch)
        else { throw error }
        return .notDone
      }
    case .put:
      return try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
        try await put(request, limits, epoch, from: &client)
      }
    case .delete:
      return try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
        try await delete(request, epoch, for: &client)
      }
    }
  }

  private func delete(
    _ request: ValueRequest, _ epoch: UInt64, for client: inout Client
  ) async throws(ExchangeError) -> OwnOutcome {
    let condition = WriteCondition(request.preconditions, for: .delete)
    let existed: Bool
    do throws(StoreError) {
      existed = try await store.delete(request.key, if: condition, epoch: epoch)
    } catch {
      if case .shared = error { return .notDone }
      throw .refused(error.failure(request.operation, request.key))
    }
    try await client.answer(.deleted(request.key, existed: existed))
    return .done(Traffic())
  }
}
