import KVCore
import Testing

@testable import kvctl

@Suite struct ClusterReportTests {
  private func entry(
    _ number: Int, calls itself: String? = nil, fingerprint: String = "aaaa", version: String = "0.1.0",
    health: String = "ok"
  ) throws -> ClusterReport.Entry {
    let text = """
      {"node":"\(itself ?? "node\(number)")","version":"\(version)","fingerprint":"\(fingerprint)","peers":4,"values":1,
      "bytes":2048,"free":3,"total":4,"uptime":5,"connections":6,"health":"\(health)"}
      """
    let peer = Peer(name: "node\(number)", address: try PeerAddress(parsing: "192.0.2.\(number)"))
    return ClusterReport.Entry(endpoint: Endpoint(peer), answer: .up(try NodeStatus(parsing: Array(text.utf8))))
  }

  @Test func hasNothingToSayWhereAllIsWell() throws {
    let report = ClusterReport(entries: [try entry(1), try entry(2)], fingerprint: "aaaa")
    #expect(report.problems == [])
    #expect(report.isReached)
  }

  @Test func namesTheNodesWithAnotherPeerList() throws {
    let entries = [try entry(1), try entry(2, fingerprint: "bbbb"), try entry(3), try entry(4)]
    #expect(
      ClusterReport(entries: entries, fingerprint: nil).problems
        == ["the peer lists differ: aaaa on node1, node3 and node4; bbbb on node2"])
    #expect(
      ClusterReport(entries: entries, fingerprint: "bbbb").problems
        == ["the peer lists differ: bbbb on this configuration and node2; aaaa on node1, node3 and node4"])
  }

  @Test func comparesWithTheConfiguration() throws {
    #expect(
      ClusterReport(entries: [try entry(1)], fingerprint: "cccc").problems
        == ["the peer lists differ: cccc on this configuration; aaaa on node1"])
  }

  @Test func namesTheVersions() throws {
    let report = ClusterReport(entries: [try entry(1), try entry(2, version: "0.2.0")], fingerprint: "aaaa")
    #expect(report.problems == ["the versions differ: 0.1.0 on node1; 0.2.0 on node2"])
  }

  @Test func findsNodesThatGoByAnotherName() throws {
    let report = ClusterReport(entries: [try entry(1), try entry(2, calls: "node1")], fingerprint: "aaaa")
    #expect(
      report.problems == [
        "the node at 192.0.2.2:7776 calls itself node1, and [Peers] calls it node2",
        "192.0.2.1:7776 and 192.0.2.2:7776 all call themselves node1",
      ])
  }

  @Test func tellsWhatIsDownAndWhatIsNotHealthy() throws {
    let down = ClusterReport.Entry(
      endpoint: Endpoint(try PeerAddress(parsing: "192.0.2.9")), answer: .down(reason: "192.0.2.9:7776 is not there"))
    let report = ClusterReport(entries: [try entry(1, health: "read-only"), down], fingerprint: nil)
    #expect(report.problems == ["192.0.2.9:7776 is not there", "node1 is not healthy: read-only"])
    #expect(!report.isReached)
  }

  @Test func isWrittenAsATable() throws {
    let down = ClusterReport.Entry(
      endpoint: Endpoint(try PeerAddress(parsing: "192.0.2.9")), answer: .down(reason: "gone"))
    let text = StatusText.table(ClusterReport(entries: [try entry(1), down], fingerprint: nil))
    #expect(
      text == """
        NODE   ADDRESS         UP   VERSION  VALUES  BYTES    FREE        UPTIME  PEER LIST  HEALTH
        node1  192.0.2.1:7776  yes  0.1.0    1       2.0 KiB  3 B of 4 B  5 s     aaaa       ok
        ?      192.0.2.9:7776  no   -        -       -        -           -       -          -

        problem: gone

        """)
  }

  @Test func isWrittenAsJSON() throws {
    let down = ClusterReport.Entry(
      endpoint: Endpoint(try PeerAddress(parsing: "192.0.2.9")), answer: .down(reason: "gone"))
    #expect(
      StatusText.json(ClusterReport(entries: [down], fingerprint: nil))
        == #"{"nodes":[{"node":"192.0.2.9:7776","address":"192.0.2.9:7776","up":false,"error":"gone"}],"problems":["gone"]}"#
        + "\n")
  }
}
