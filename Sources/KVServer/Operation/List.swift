import KVCluster
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
  let decisions: any KeyDecisions

  /// The page that is asked for.
  func page(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> ListPage {
    if let mark = request.relayed {
      if let failure = cluster.topology.listingDisagreement(with: mark) { throw .refused(failure) }
      return try await part(request, cluster)
    }
    if request.isOwnOnly { return try await ownPage(request, cluster) }
    if let layout = cluster.topology.layout, layout.hasCopies, !request.isStranded {
      return try await CopiedListing(listing: self, cluster: cluster, layout: layout).page(request)
    }
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

  /// This node's part of a listing. Where there are copies, it says what is on one of the disks that vote: what a disk has
  /// that has lost its contents, or was put back, says nothing of what is decided.
  func part(_ request: ListRequest, _ cluster: Cluster) async throws(ExchangeError) -> ListPage {
    guard let layout = cluster.topology.layout, layout.hasCopies, !request.isStranded else {
      return try await ownPage(request, cluster)
    }
    guard let member = cluster.topology.ownMember, decisions.mayVote else {
      throw .refused(
        Failure(.unavailable, "LIST: what is on the disk of \(cluster.configuration.nodeName) does not count yet"))
    }
    var page = try await ownPage(request, cluster)
    page.member = member
    return page
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

  /// Another node's part.
  func page(
    _ request: ListRequest, of peer: Peer, _ cluster: Cluster
  ) async throws(ExchangeError) -> ListPage {
    let question = PeerQuestion(
      subject: "LIST", head: request.head(to: peer, mark: cluster.topology.relayMark),
      answerBytesMax: ListPage.writtenBytesMax)
    let text = try await peers.ask(question, of: peer, cluster.limits)
    do throws(HTTPSyntaxError) {
      let page = try ListPage(parsing: text)
      guard page.isInOrder else { throw .bad("the page of a listing is in no order") }
      return page
    } catch {
      throw peers.malformed(error, question, of: peer)
    }
  }
}
