import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore

/// Lists keys: this node's own from its store, and for a client the other nodes' too, merged.
///
/// A node that does not answer makes the listing fail: a page must never be silently short.
struct Listing: Sendable {
  let store: Store
  let peers: any PeerQuestions
  let disk: IOExecutor
  let network: IOExecutor

  /// The page that is asked for.
  func page(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> ListPage {
    if let mark = request.relayed {
      if let failure = cluster.topology.disagreement(with: mark, about: "LIST") { throw .refused(failure) }
      return try await ownPage(request, cluster)
    }
    var gathering = ListGathering(limit: request.limit)
    for part in try await parts(request, cluster) {
      part.entries.forEach { gathering.insert($0) }
      if let next = part.next { gathering.end(before: next) }
    }
    return gathering.page()
  }

  private func parts(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> [ListPage] {
    let results = await withTaskGroup(of: Result<ListPage, ExchangeError>.self) { group in
      group.addTask(executorPreference: network) {
        await result { () async throws(ExchangeError) in try await ownPage(request, cluster) }
      }
      for peer in cluster.topology.otherPeers {
        group.addTask(executorPreference: network) {
          await result { () async throws(ExchangeError) in try await page(request, of: peer, cluster) }
        }
      }
      var results: [Result<ListPage, ExchangeError>] = []
      for await result in group { results.append(result) }
      return results
    }
    var parts: [ListPage] = []
    for result in results { parts.append(try result.get()) }
    return parts
  }

  private func result(_ page: () async throws(ExchangeError) -> ListPage) async -> Result<ListPage, ExchangeError> {
    do throws(ExchangeError) { return .success(try await page()) } catch { return .failure(error) }
  }

  /// The page of the keys that lie here and belong here: what another peer list left behind is not shown, for no
  /// GET would find it.
  private func ownPage(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> ListPage {
    try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
      var gathering = ListGathering(limit: request.limit)
      for (number, shard) in ValuePath.shards.enumerated() {
        do throws(SystemError) {
          try store.forEachKey(shard: shard) { key in
            guard key.bytes.starts(with: request.prefix), !key.bytes.lexicographicallyPrecedes(request.from) else {
              return
            }
            let slot = key.slot
            // A file that somebody moved to another shard is no value either.
            guard slot.number >> 8 == number, cluster.topology.owns(slot) else { return }
            if let entry = entry(of: key, request) { gathering.insert(entry) }
          }
        } catch {
          throw .refused(Failure(.storeFailed, "LIST: \(error)"))
        }
        await IOExecutor.pause()
      }
      return gathering.page()
    }
  }

  private func entry(of key: Key, _ request: ListRequest) -> ListEntry? {
    if let group = request.group(of: key.bytes) { return .group(group) }
    guard let head = (try? store.open(key))??.head else { return nil }
    return .value(
      ListedValue(
        key: key.bytes, byteCount: head.byteCount, checksum: head.checksum, modifiedAt: head.modifiedAt,
        contentType: head.fields.contentType))
  }

  private func page(
    _ request: ListRequest, of peer: Peer, _ cluster: Cluster
  ) async throws(ExchangeError) -> ListPage {
    let question = PeerQuestion(
      subject: "LIST", head: request.head(to: peer, mark: cluster.topology.relayMark),
      answerBytesMax: ListPage.writtenBytesMax)
    let text = try await peers.ask(question, of: peer, cluster.limits)
    do throws(HTTPSyntaxError) {
      return try ListPage(parsing: text)
    } catch {
      throw peers.malformed(error, question, of: peer)
    }
  }
}
