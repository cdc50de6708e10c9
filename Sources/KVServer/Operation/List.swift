import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore

/// Lists keys: this node's own from its store, and for a client the other nodes' too, merged.
///
/// A node that does not answer makes the listing fail, unless it was said that it need not: a page must never be silently
/// short.
struct Listing: Sendable {
  let store: Store
  let peers: any PeerQuestions
  let disk: IOExecutor
  let network: IOExecutor

  /// The page that is asked for.
  func page(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> ListPage {
    if let mark = request.relayed {
      if let failure = cluster.topology.listingDisagreement(with: mark) { throw .refused(failure) }
      return try await ownPage(request, cluster)
    }
    if request.isOwnOnly { return try await ownPage(request, cluster) }
    var gathering = ListGathering(limit: request.limit)
    var missing: [String] = []
    for (name, part) in await parts(request, cluster) {
      do throws(ExchangeError) {
        let page = try part.get()
        page.entries.forEach { gathering.insert($0) }
        if let next = page.next { gathering.end(before: next) }
      } catch {
        guard request.isPartial else { throw error }
        missing.append(name)
      }
    }
    var page = gathering.page()
    page.missing = missing.sorted()
    return page
  }

  private func parts(
    _ request: ListRequest, _ cluster: Cluster
  ) async -> [(name: String, Result<ListPage, ExchangeError>)] {
    await withTaskGroup(of: (String, Result<ListPage, ExchangeError>).self) { group in
      group.addTask(executorPreference: network) {
        (
          cluster.configuration.nodeName,
          await result { () async throws(ExchangeError) in try await ownPage(request, cluster) }
        )
      }
      for peer in cluster.topology.otherPeers {
        group.addTask(executorPreference: network) {
          (peer.name, await result { () async throws(ExchangeError) in try await page(request, of: peer, cluster) })
        }
      }
      var parts: [(name: String, Result<ListPage, ExchangeError>)] = []
      for await part in group { parts.append(part) }
      return parts
    }
  }

  private func result(_ page: () async throws(ExchangeError) -> ListPage) async -> Result<ListPage, ExchangeError> {
    do throws(ExchangeError) { return .success(try await page()) } catch { return .failure(error) }
  }

  /// How long a listing waits for an index that is being made.
  private static let indexWait = Duration.seconds(10)
  private static let indexPause = Duration.milliseconds(20)

  /// The page of the values that lie here and belong here: what another peer list left behind is not shown, for no
  /// GET would find it.
  private func ownPage(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> ListPage {
    let deadline = Instant.after(Self.indexWait)
    while true {
      do throws(ValueIndex.Unusable) {
        return try await withTaskExecutorPreference(disk) { () async throws(ValueIndex.Unusable) in
          try store.index.page(request) { cluster.topology.owns($0.slot) != request.isStranded }
        }
      } catch {
        switch error {
        case .failed(let reason): throw .refused(Failure(.storeFailed, "LIST: the index: \(reason)"))
        case .building(let shardCount):
          guard Instant.now < deadline,
            await IOExecutor.current.wait(until: .after(Self.indexPause), interruptible: true) == .timedOut
          else {
            let name = cluster.configuration.nodeName
            throw .refused(
              Failure(.unavailable, "LIST: \(name): the index is being made, \(shardCount * 100 / 256) % so far"))
          }
        }
      }
    }
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
