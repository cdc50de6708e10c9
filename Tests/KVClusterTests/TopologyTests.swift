import KVCore
import KVLinux
import Testing

@testable import KVCluster

@Suite struct TopologyTests {
  private static let peers = ["a", "b", "c", "d"].enumerated().map { index, name in
    Peer(name: name, address: PeerAddress(host: .address(.v4(0x7f00_0001)), port: 7776 + UInt16(index)))
  }

  private func cluster(_ name: String, peers: [Peer] = peers) -> Topology {
    Topology(nodeName: name, peers: peers, digest: MD5.digest)
  }

  /// Where a GET of the key goes, relayed by a node or not.
  private func route(_ key: String, _ cluster: Topology, by mark: RelayMark? = nil) throws -> String {
    name(cluster.route(try Key(Array(key.utf8)).slot, relayedBy: mark, about: "GET \(key)"))
  }

  private func name(_ route: Topology.Route) -> String {
    switch route {
    case .own: "own"
    case .peer(let peer, _): peer.name
    case .refused(let failure): "\(failure.kind): \(failure.message)"
    case .behind(let name): "behind \(name)"
    }
  }

  /// Each is what `printf 'ranges\na=127.0.0.1:7776\nb=127.0.0.1:7777\n' | md5sum` begins with, and so on.
  @Test(arguments: [("", "4f368a48b4e9bc07"), ("ab", "5e739a171fca4f73"), ("ba", "69134a1bd0a1d90f")])
  func fingerprintIsTheStartOfAnMD5(names: String, expected: String) {
    let peers = names.compactMap { name in Self.peers.first { $0.name == String(name) } }
    #expect(cluster("a", peers: peers).fingerprint == expected)
  }

  @Test func fingerprintIsTheSameOnEveryNode() {
    #expect(Set(Self.peers.map { cluster($0.name).fingerprint }).count == 1)
  }

  @Test func fingerprintChangesWithNameAddressOrderAndCount() {
    var others = [Self.peers, Array(Self.peers.dropLast()), Array(Self.peers.reversed())]
    others.append([Peer(name: "z", address: Self.peers[0].address)] + Self.peers.dropFirst())
    others.append([Peer(name: "a", address: PeerAddress(host: .name("a"), port: 7776))] + Self.peers.dropFirst())
    #expect(Set(others.map { cluster("b", peers: $0).fingerprint }).count == others.count)
  }

  @Test(arguments: [("a", "own", "d"), ("b", "a", "d"), ("c", "a", "d"), ("d", "a", "own")])
  func sendsEachKeyToItsOwner(node: String, first: String, fourth: String) throws {
    let cluster = cluster(node)
    #expect(try route("hashme", cluster) == first)
    #expect(try route("hashmetoo", cluster) == fourth)
  }

  @Test func aSingleNodeOwnsEverything() throws {
    let single = cluster("alone", peers: [])
    #expect(try route("hashmetoo", single) == "own")
    #expect(single.ownSlotCount == 65_536)
  }

  @Test func everySlotIsOwnedOnce() {
    let counts = Self.peers.map { cluster($0.name).ownSlotCount }
    #expect(counts.reduce(0, +) == 65_536)
    // Slot 0 comes on top of the first node's share, and the last node's upper bound is out of reach.
    #expect(counts == [16_385, 16_384, 16_384, 16_383])
  }

  @Test func servesWhatAnAgreeingNodeRelays() throws {
    let mark = cluster("b").relayMark
    #expect(mark.node == "b")
    #expect(try route("hashme", cluster("a"), by: mark) == "own")
  }

  /// Three copies on four nodes, by ranges; the third one's disk is given up where that is said.
  private func copied(_ name: String, losing lost: Set<Member> = []) -> Topology {
    let members = Self.peers.enumerated().map { index, peer in
      LayoutMember(member: Member(UInt16(index + 1)), name: peer.name, disk: DiskID(high: 0, low: UInt64(index + 1)))
    }
    let own = Self.peers.firstIndex { $0.name == name }.map { DiskID(high: 0, low: UInt64($0 + 1)) }
    var layout = Layout(first: MemberList(members, copies: 3), proposal: .none)
    if !lost.isEmpty { layout = layout.losing(lost, proposal: .none) }
    return Topology(nodeName: name, peers: Self.peers, digest: MD5.digest, layout: layout, ownDisk: own)
  }

  /// "hashme" is in the first range.
  @Test(arguments: [("a", ["own"]), ("b", ["own"]), ("c", ["own"]), ("d", ["a", "b", "c"])])
  func everyOwnerOfACopyAnswersAndOthersMayAskEach(node: String, expected: [String]) throws {
    let topology = copied(node)
    let slot = try Key(text: "hashme").slot
    #expect(topology.owns(slot) == (node != "d"))
    switch topology.route(slot, relayedBy: nil, about: "GET hashme") {
    case .own(let say): #expect(say.isShared && expected == ["own"])
    case .peer(let first, let others): #expect(([first] + others).map(\.name) == expected)
    case .refused, .behind: Issue.record("it goes nowhere")
    }
  }

  @Test func whoeverIsGivenUpIsNotAsked() throws {
    let slot = try Key(text: "hashme").slot
    guard case .peer(let first, let others) = copied("d", losing: [Member(1)]).route(slot, relayedBy: nil, about: "")
    else {
      Issue.record("it is to be relayed")
      return
    }
    #expect(([first] + others).map(\.name) == ["b", "c"])
    #expect(!copied("a", losing: [Member(1)]).owns(slot))
  }

  @Test func refusesAForeignFingerprintAndNamesBoth() throws {
    let mark = RelayMark(node: "b", fingerprint: "0123456789abcdef")
    let own = cluster("a").fingerprint
    #expect(
      try route("hashme", cluster("a"), by: mark)
        == "misdirected: GET hashme: b and a have different peer lists "
        + "(fingerprints 0123456789abcdef and \(own)); make [Peers] the same on every node")
  }

  @Test func neverRelaysARelayedRequestOn() throws {
    let answer = try route("hashme", cluster("c"), by: cluster("b").relayMark)
    #expect(
      answer
        == "misdirected: GET hashme: b takes c for the owner, but it is a; is Name= the same on two nodes?")
  }

  @Test func aSingleNodeRefusesWhatAClusterRelays() throws {
    let answer = try route("hashme", cluster("a", peers: []), by: cluster("b").relayMark)
    #expect(answer.hasPrefix("misdirected: GET hashme: b and a have different peer lists"))
  }
}
