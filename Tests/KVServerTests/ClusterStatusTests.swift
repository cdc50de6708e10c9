import KVCore
import KVLinux
import Testing
import TestSupport

@testable import KVServer

@Suite(.hangLimit) struct ClusterStatusTests {
  private let fixture: StoreFixture

  init() throws { fixture = try StoreFixture() }

  private func status(_ answers: [String: String]) async -> String {
    var configuration = Configuration(nodeName: "node1")
    configuration.peers = TestNodes.peers([1, 2])
    let own = OwnStatus(
      version: "test", startedAt: .now, store: fixture.store, health: Health(ageMax: .seconds(1)),
      admission: Admission(),
      notices: Notices(
        configuration: ConfigurationRecord(), store: fixture.store, stranded: StrandedValues()))
    let status = ClusterStatus(own: own, peers: MemoryPeers(answers: answers), network: Wire.executor)
    return await status.json(Cluster(configuration)).description
  }

  /// What another node says is read, and told in our own words: it could forge entries of further nodes.
  @Test(
    arguments: [
      "{\"node\":\"node2\"},{\"node\":\"forged\"}", "{\"node\":\"node2\"}", "]}{\"nodes\":[", "", "<html>",
    ])
  func anAnswerThatIsNoStatusIsAnErrorOfItsNode(answer: String) async throws {
    try await Wire.test {
      let text = await status(["node2": answer])
      #expect(text.hasPrefix("{\"nodes\":[{\"node\":\"node1\","))
      #expect(text.contains(",{\"node\":\"node2\",\"error\":\"STATUS: node2"))
      #expect(!text.contains("forged"))
    }
  }

  @Test func aStatusIsToldWithWhatIsKnownOfIt() async throws {
    let answer =
      "{\"node\":\"node2\",\"version\":\"9\",\"fingerprint\":\"ab\",\"peers\":2,\"values\":3,\"bytes\":4,"
      + "\"free\":5,\"total\":6,\"uptime\":7,\"connections\":8,\"health\":\"ok\"}"
    try await Wire.test {
      let text = await status(["node2": answer.dropLast() + ",\"newer\":1}"])
      #expect(text.hasSuffix("},\(answer)]}"))
    }
  }
}
