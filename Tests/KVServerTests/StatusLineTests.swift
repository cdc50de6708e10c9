import KVCore
import KVLinux
import KVStore
import Testing
import TestSupport

@testable import KVServer

@Suite struct StatusLineTests {
  private let fixture: StoreFixture
  private let record = ConfigurationRecord()
  private let health = Health(ageMax: .seconds(1000))

  init() throws { fixture = try StoreFixture() }

  private var notices: Notices { Notices(configuration: record, store: fixture.store, stranded: StrandedValues()) }

  private func line(
    _ verdict: Health.Verdict = .healthy, _ configure: (inout Configuration) -> Void = { _ in }
  ) -> String {
    var configuration = Configuration(nodeName: "node1")
    configure(&configuration)
    return StatusLine(
      current: CurrentCluster(Cluster(configuration)), store: fixture.store, health: health, admission: Admission(),
      notices: notices
    ).text(verdict)
  }

  private func status() -> NodeStatus {
    OwnStatus(
      version: "test", startedAt: .now, store: fixture.store, health: health, admission: Admission(), notices: notices
    ).now(Cluster(Configuration(nodeName: "node1")))
  }

  private func count() throws {
    for number in ValuePath.shards.indices { try fixture.store.count(shard: number) }
  }

  @Test func valuesThatAreStillBeingCountedAreNotTold() async throws {
    #expect(line() == "Serving this host alone, as single node: counting values, 0 connections, 0 GiB free")
    #expect(status().uncountedParts == 256)
    #expect(status().json.description.contains("\"counting\":256"))
    try await fixture.put(try Key(text: "k"), [1])
    try count()
    #expect(line() == "Serving this host alone, as single node: 1 value, 0 connections, 0 GiB free")
    #expect(!status().isCounting)
    #expect(!status().json.description.contains("counting"))
    #expect(try NodeStatus(parsing: status().json.bytes) == status())
  }

  @Test func saysForWhomItServes() throws {
    try count()
    #expect(line { $0.access.isOpenToAll = true }.hasPrefix("Serving as single node: 0 values,"))
    #expect(line { $0.peers = TestNodes.peers([1, 2]) }.hasPrefix("Serving as node1 of 2 nodes: "))
    #expect(
      line(.unhealthy("no space")) { $0.peers = TestNodes.peers([1]) }
        .hasPrefix("Impaired: no space. Serving as node1 of 1 node: "))
  }

  @Test func tellsOfARefusedConfigurationUntilOneIsLoaded() throws {
    record.refused("kvnode.conf:1: bad\n" + String(repeating: "x", count: 1000))
    #expect(line().contains(". Attention: configuration refused at 20"))
    #expect(line().utf8.count < 600)
    let attention = try #require(status().attention)
    #expect(attention.contains(": kvnode.conf:1: bad\\x0ax"))
    #expect(status().health != attention)
    #expect(try NodeStatus(parsing: status().json.bytes).attention?.hasPrefix("configuration refused at ") == true)
    record.loaded()
    #expect(status().attention == nil)
    #expect(record.refusalCount == 1)
  }

  @Test(
    arguments: [
      (0, nil), (1, "1 damaged value lies in quarantine/"), (2, "2 damaged values lie in quarantine/"),
    ] as [(Int, String?)])
  func tellsOfDamagedValues(count: Int, text: String?) {
    fixture.store.quarantinedCount = count
    #expect(notices.text == text)
    #expect(status().quarantined == count)
  }
}
