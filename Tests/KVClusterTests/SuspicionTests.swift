import KVCore
import Testing

@testable import KVCluster

/// So many milliseconds after some beginning.
private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

/// A node that became suspect at 0 ms.
private func suspectPeer() -> PeerSuspicion {
  var suspicion = PeerSuspicion()
  for _ in 0..<PeerSuspicion.failureCountMax { _ = suspicion.keptWaiting(at: at(0), reason: "silent") }
  return suspicion
}

@Suite struct PeerSuspicionTests {
  @Test func aNodeIsTrustedAtFirst() {
    var suspicion = PeerSuspicion()
    #expect(suspicion.request(at: at(0)) == .ask)
    #expect(suspicion.reacted() == nil)
    #expect(suspicion.request(at: at(0)) == .ask)
  }

  @Test func itBecomesSuspectAtTheLastOfSeveralFailuresInARow() {
    var suspicion = PeerSuspicion()
    for _ in 1..<PeerSuspicion.failureCountMax {
      #expect(suspicion.keptWaiting(at: at(0), reason: "silent") == nil)
      #expect(suspicion.request(at: at(0)) == .ask)
    }
    #expect(suspicion.keptWaiting(at: at(0), reason: "silent") == .suspected(pause: PeerSuspicion.pauseMin))
    #expect(suspicion.request(at: at(999)) == .failFast(reason: "silent"))
  }

  @Test func aReactionInBetweenStartsTheCountAnew() {
    var suspicion = PeerSuspicion()
    for _ in 0..<10 {
      for _ in 1..<PeerSuspicion.failureCountMax {
        #expect(suspicion.keptWaiting(at: at(0), reason: "silent") == nil)
      }
      #expect(suspicion.reacted() == nil)
    }
    #expect(suspicion.request(at: at(0)) == .ask)
  }

  @Test func afterThePauseOneRequestGoesAsAProbeAndTheOthersFail() {
    var suspicion = suspectPeer()
    #expect(suspicion.request(at: at(1000)) == .ask)
    #expect(suspicion.request(at: at(1000)) == .failFast(reason: "silent"))
    #expect(suspicion.request(at: at(1999)) == .failFast(reason: "silent"))
  }

  @Test func aReactionToTheProbeClearsIt() {
    var suspicion = suspectPeer()
    #expect(suspicion.request(at: at(1000)) == .ask)
    #expect(suspicion.reacted() == .cleared)
    #expect(suspicion.reacted() == nil)
    #expect(suspicion.request(at: at(1001)) == .ask)
    // And what was counted before is forgotten.
    #expect(suspicion.keptWaiting(at: at(1002), reason: "silent") == nil)
  }

  @Test func aLateReactionToAnOlderRequestClearsItToo() {
    var suspicion = suspectPeer()
    #expect(suspicion.reacted() == .cleared)
    #expect(suspicion.request(at: at(1)) == .ask)
  }

  @Test func eachFailedProbeDoublesThePauseUpToTheLongest() {
    var suspicion = suspectPeer()
    var now: Int64 = 0
    for seconds: Int64 in [1, 2, 4, 8, 8, 8] {
      #expect(suspicion.request(at: at(now + seconds * 1000 - 1)) == .failFast(reason: "silent"))
      now += seconds * 1000
      #expect(suspicion.request(at: at(now)) == .ask)
      let next = Duration.seconds(min(seconds * 2, 8))
      #expect(suspicion.keptWaiting(at: at(now), reason: "silent") == .suspected(pause: next))
    }
  }

  @Test func failuresOfOlderRequestsDoNotPutOffTheProbe() {
    var suspicion = suspectPeer()
    for late: Int64 in [100, 500, 900] {
      #expect(suspicion.keptWaiting(at: at(late), reason: "late") == nil)
    }
    #expect(suspicion.request(at: at(999)) == .failFast(reason: "silent"))
    #expect(suspicion.request(at: at(1000)) == .ask)
  }

  @Test func aProbeOfWhichNothingIsHeardIsFollowedByAnother() {
    var suspicion = suspectPeer()
    #expect(suspicion.request(at: at(1000)) == .ask)
    #expect(suspicion.request(at: at(2000)) == .ask)
    #expect(suspicion.request(at: at(2000)) == .failFast(reason: "silent"))
  }

  @Test func aNodeThatNobodyAskedForLongIsAskedAtOnce() {
    var suspicion = suspectPeer()
    #expect(suspicion.request(at: at(3_600_000)) == .ask)
  }

  @Test func theReasonIsThatOfTheFailureThatCounted() {
    var suspicion = suspectPeer()
    #expect(suspicion.request(at: at(1000)) == .ask)
    #expect(suspicion.keptWaiting(at: at(1500), reason: "unreachable") == .suspected(pause: .seconds(2)))
    #expect(suspicion.request(at: at(1600)) == .failFast(reason: "unreachable"))
  }
}
