import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore
import Testing
import TestSupport

@testable import KVServer

@Suite(.hangLimit) struct ListingTests {
  private static func cluster() -> Cluster {
    var configuration = Configuration(nodeName: "node1")
    configuration.peers = TestNodes.peers([1, 2, 3])
    return Cluster(configuration)
  }

  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private static func lines(_ keys: [String]) -> String {
    keys.map { "value\t\($0)\t5\t1994-11-06T08:49:37Z\t-\ttext/plain\n" }.joined()
  }

  private func listing(_ answers: [String: String]) -> Listing {
    let threads = Wire.executor
    return Listing(
      store: fixture.store, peers: MemoryPeers(answers: answers), disk: threads, network: threads)
  }

  @Test func mergesThePagesOfAllNodesAndEndsWhereOneDoes() async throws {
    let listing = listing([
      "node2": Self.lines(["a", "c"]) + "next\tat-65\n", "node3": Self.lines(["b", "d", "f"]) + "end\n",
    ])
    try await Wire.test {
      try await fixture.store.buildIndex()
      let page = try await listing.page(ListRequest(prefix: []), Self.cluster())
      #expect(page.entries.map(\.name).map { String(decoding: $0, as: UTF8.self) } == ["a", "b", "c", "d"])
      #expect(page.next == Array("e".utf8))
    }
  }

  /// One node ends its page inside a group that another has gone past: the next page must not give it again.
  @Test func goesOnBehindAGroupThatIsOnThePage() async throws {
    let listing = listing([
      "node2": "prefix\ta/\nnext\tat-612f35\n", "node3": "prefix\ta/\nprefix\tb/\nend\n",
    ])
    try await Wire.test {
      try await fixture.store.buildIndex()
      var request = ListRequest(prefix: [])
      request.delimiter = Array("/".utf8)
      let page = try await listing.page(request, Self.cluster())
      #expect(page.entries == [.group(Array("a/".utf8))])
      #expect(page.next == Array("a0".utf8))
    }
  }

  @Test(arguments: [["node2": "end\n"], ["node2": "end\n", "node3": "<html>"]])
  func aNodeThatDoesNotAnswerAsItShouldFailsTheListing(answers: [String: String]) async throws {
    let listing = listing(answers)
    try await Wire.test {
      try await fixture.store.buildIndex()
      var message = ""
      do throws(ExchangeError) {
        _ = try await listing.page(ListRequest(prefix: []), Self.cluster())
      } catch {
        if case .refused(let failure) = error { message = failure.message }
      }
      #expect(message.hasPrefix("LIST: node3"))
    }
  }
}
