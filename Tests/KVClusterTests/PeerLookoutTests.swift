import KVCore
import Testing

@testable import KVCluster

/// So many seconds after some beginning.
private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

private func peer(_ number: Int) -> Peer {
  Peer(name: "node\(number)", address: PeerAddress(host: .address(.v4(UInt32(number)))))
}

@Suite struct PeerLookoutTests {
  /// The names of those that are due.
  private static func due(
    _ lookout: inout PeerLookout, _ seconds: Int64, _ peers: [Peer] = [peer(1), peer(2)],
    heard: [String: Int64] = [:], chance: Double = 1
  ) -> [String] {
    lookout.due(among: peers, at: at(seconds), heardAt: { heard[$0.name].map(at) }, chance: { chance }).map(\.name)
  }

  @Test(arguments: [(0.0, Int64(8)), (0.5, 10), (1, 12)])
  func aNodeThatIsSilentIsLookedAtAfterEachPause(chance: Double, pause: Int64) {
    var lookout = PeerLookout()
    // The first pause is the shorter one or less.
    let first = Int64(8 * chance)
    if first > 0 { #expect(Self.due(&lookout, 0, chance: chance) == []) }
    #expect(Self.due(&lookout, first, chance: chance) == ["node1", "node2"])
    for number in 1...3 {
      let next = first + Int64(number) * pause
      #expect(Self.due(&lookout, next - 1, chance: chance) == [])
      #expect(Self.due(&lookout, next, chance: chance) == ["node1", "node2"])
    }
  }

  @Test func oneThatIsHeardOfIsNot() {
    var lookout = PeerLookout()
    #expect(Self.due(&lookout, 0) == [])
    #expect(Self.due(&lookout, 8, heard: ["node1": 7]) == ["node2"])
    #expect(Self.due(&lookout, 18, heard: ["node1": 7]) == [])
    #expect(Self.due(&lookout, 19, heard: ["node1": 7]) == ["node1"])
    // What was heard before the look puts off no further one.
    #expect(Self.due(&lookout, 31, heard: ["node1": 7]) == ["node1", "node2"])
  }

  @Test func eachHasATimeOfItsOwn() {
    var lookout = PeerLookout()
    var chances = [0.25, 0.75, 0, 0, 0].makeIterator()
    func due(_ seconds: Int64) -> [String] {
      lookout.due(
        among: [peer(1), peer(2)], at: at(seconds), heardAt: { _ in nil }, chance: { chances.next() ?? 1 }
      ).map(\.name)
    }
    #expect(due(0) == [])
    #expect(due(2) == ["node1"])
    #expect(due(6) == ["node2"])
    #expect(due(10) == ["node1"])
  }

  @Test func whoLeavesTheListIsForgotten() {
    var lookout = PeerLookout()
    #expect(Self.due(&lookout, 0) == [])
    #expect(Self.due(&lookout, 4, [peer(2)]) == [])
    #expect(Self.due(&lookout, 8, [peer(2)]) == ["node2"])
    #expect(Self.due(&lookout, 8) == [])
    #expect(Self.due(&lookout, 15) == [])
    #expect(Self.due(&lookout, 16) == ["node1"])
  }
}
