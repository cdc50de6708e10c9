import KVCore
import KVLinux
import Testing

@testable import KVServer

@Suite struct UnresolvedPeerTests {
  private static func peer(_ number: Int) -> Peer {
    Peer(name: "node\(number)", address: PeerAddress(host: .name("host\(number).example")))
  }

  @Test func thoseWhoseNamesStandForNothingAreFoundInTheOrderOfTheList() async throws {
    let threads = try IOExecutor(name: "names", threadCount: 2)
    let names = PeerNames(threads: threads) { host, port throws(ResolveError) in
      if host == "host2.example" { return [SocketAddress(.v4(0xC000_0202), port: port)] }
      throw ResolveError(host: host, reason: "unknown")
    }
    let peers = (1...4).map(Self.peer) + [Peer(name: "node5", address: PeerAddress(host: .address(.v4(1))))]
    let found = await withTaskExecutorPreference(try IOExecutor(name: "test", threadCount: 1)) {
      await names.unresolved(peers, within: .seconds(60))
    }
    #expect(
      found.map(\.description)
        == [1, 3, 4].map {
          "[Peers] node\($0) (host\($0).example:7776): cannot resolve 'host\($0).example': unknown"
        })
  }

  @Test(arguments: [(0, 0), (1, 1), (10, 10), (11, 11), (1024, 11)])
  func onlyTheFirstFewAreToldOneByOne(count: Int, lineCount: Int) {
    let error = ResolveError(host: "host", reason: "unknown")
    let lines = UnresolvedPeer.lines((0..<count).map { UnresolvedPeer(peer: Self.peer($0), error: error) })
    #expect(lines.count == lineCount)
    if count > 10 { #expect(lines.last?.contains("\(count - 10) more name") == true) }
  }
}
