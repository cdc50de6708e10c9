import KVCluster
import Testing

@testable import KVServer

@Suite struct HeardHostsTests {
  private static let other = DiskID(high: 0, low: 2)

  private func hosts() -> HeardHosts {
    HeardHosts(ownDisk: DiskID(high: 0, low: 1), remembered: [], isWithheld: false)
  }

  private func hello(process: UInt64, boots: UInt64, used: UInt64 = 0) -> Hello {
    Hello(
      name: "b", disk: Self.other, process: process,
      history: DiskHistory(bootCount: boots, begunAbove: 0, used: used),
      wish: Wish(hosts: [], copies: 1, rule: .ranges))
  }

  @Test func remembersHowFarADiskHadCome() {
    let hosts = hosts()
    #expect(hosts.take(hello(process: 1, boots: 5), isMember: true) == nil)
    #expect(hosts.take(hello(process: 2, boots: 5), isMember: true)?.bootCount == 5)
    #expect(hosts.hasForgotten(Self.other))
    #expect(hosts.putBackNames == ["b"])
    #expect(hosts.take(hello(process: 2, boots: 6), isMember: true) == nil)
    #expect(!hosts.hasForgotten(Self.other))
  }

  @Test func remembersNothingOfStrangersOrOfWhatCannotBe() {
    let hosts = hosts()
    _ = hosts.take(hello(process: 1, boots: 5), isMember: false)
    _ = hosts.take(hello(process: 1, boots: 1, used: 1 << 61 + 1), isMember: true)
    _ = hosts.take(hello(process: 1, boots: 1 << 32 + 1), isMember: true)
    #expect(hosts.remembered.isEmpty)
  }

  @Test func forgetsDisksThatNoLayoutHasAnyMore() {
    let hosts = hosts()
    _ = hosts.take(hello(process: 1, boots: 5), isMember: true)
    hosts.forgetAll(but: [])
    #expect(hosts.take(hello(process: 2, boots: 1), isMember: true) == nil)
  }
}
