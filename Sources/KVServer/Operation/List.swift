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
  func page(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> KeyPage {
    if let mark = request.relayed {
      if let failure = cluster.topology.disagreement(with: mark, about: "LIST") { throw .refused(failure) }
      return try await ownPage(request, cluster)
    }
    var gathering = KeyPageGathering(limit: request.limit)
    for part in try await parts(request, cluster) {
      part.keys.forEach { gathering.insert($0) }
      if let next = part.next { gathering.end(before: next) }
    }
    return gathering.page()
  }

  private func parts(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> [KeyPage] {
    let results = await withTaskGroup(of: Result<KeyPage, ExchangeError>.self) { group in
      group.addTask(executorPreference: network) {
        await result { () async throws(ExchangeError) in try await ownPage(request, cluster) }
      }
      for peer in cluster.topology.otherPeers {
        group.addTask(executorPreference: network) {
          await result { () async throws(ExchangeError) in try await page(request, of: peer, cluster) }
        }
      }
      var results: [Result<KeyPage, ExchangeError>] = []
      for await result in group { results.append(result) }
      return results
    }
    var parts: [KeyPage] = []
    for result in results { parts.append(try result.get()) }
    return parts
  }

  private func result(_ page: () async throws(ExchangeError) -> KeyPage) async -> Result<KeyPage, ExchangeError> {
    do throws(ExchangeError) { return .success(try await page()) } catch { return .failure(error) }
  }

  /// The page of the keys that lie here and belong here: what another peer list left behind is not shown, for no
  /// GET would find it.
  private func ownPage(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> KeyPage {
    try await withTaskExecutorPreference(disk) { () async throws(ExchangeError) in
      var gathering = KeyPageGathering(limit: request.limit)
      for (number, shard) in ValuePath.shards.enumerated() {
        do throws(SystemError) {
          try store.forEachKey(shard: shard) { key in
            guard request.includes(key.bytes) else { return }
            let slot = key.slot
            // A file that somebody moved to another shard is no value either.
            guard slot.number >> 8 == number, cluster.topology.owns(slot) else { return }
            gathering.insert(key.bytes)
          }
        } catch {
          throw .refused(Failure(.storeFailed, "LIST: \(error)"))
        }
        await IOExecutor.pause()
      }
      return gathering.page()
    }
  }

  private func page(
    _ request: ListRequest, of peer: Peer, _ cluster: Cluster
  ) async throws(ExchangeError) -> KeyPage {
    let question = PeerQuestion(
      subject: "LIST", head: request.head(to: peer, mark: cluster.topology.relayMark),
      answerBytesMax: KeyPage.jsonBytesMax)
    let text = try await peers.ask(question, of: peer, cluster.limits)
    do throws(HTTPSyntaxError) {
      return try KeyPage(parsing: text)
    } catch {
      throw peers.malformed(error, question, of: peer)
    }
  }
}
