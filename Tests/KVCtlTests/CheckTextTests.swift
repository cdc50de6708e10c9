import KVCore
import KVLinux
import KVStore
import Testing

@testable import kvctl

@Suite struct CheckTextTests {
  private static func summary(damaged: Int = 0, lost: Int = 0, unchecked: Int = 0) -> ScrubSummary {
    var summary = ScrubSummary()
    summary.values = 7
    summary.damaged = damaged
    summary.lost = lost
    summary.unchecked = unchecked
    return summary
  }

  @Test(
    arguments: [
      (summary(), nil),
      (summary(damaged: 2), .checksumMismatch),
      (summary(lost: 1), .checksumMismatch),
      (summary(unchecked: 1), .failure),
      (summary(damaged: 1, unchecked: 1), .checksumMismatch),
    ] as [(ScrubSummary, kvctl.ExitStatus?)])
  func endsBadlyWhileValuesAreLost(summary: ScrubSummary, expected: kvctl.ExitStatus?) {
    #expect(CheckText.verdict(summary)?.0 == expected)
  }

  @Test func namesAllThatIsWrong() {
    #expect(
      CheckText.verdict(Self.summary(damaged: 1, lost: 2, unchecked: 3))?.1
        == "1 of 7 values damaged; 2 keys lost to quarantine/ earlier; 3 files or directories could not be checked")
    #expect(CheckText.verdict(Self.summary(lost: 1))?.1 == "1 key lost to quarantine/ earlier")
  }

  @Test func saysWhatBecameOfAValue() throws {
    var finding = ScrubFinding(
      key: try Key("k".utf8), path: "values/12/k", fault: .length(recordedBytes: 2, foundBytes: 1))
    let opening = "damaged: values/12/k (key k): it has 1 byte, recorded were 2"
    #expect(CheckText.line(.damaged(finding)) == "\(opening)\n")
    finding.moveError = SystemError(call: "fsync", code: 5)
    #expect(CheckText.line(.damaged(finding)) == "\(opening); it cannot be moved away: fsync: Input/output error\n")
    finding.quarantinePath = "quarantine/k.1"
    #expect(
      CheckText.line(.damaged(finding))
        == "\(opening); moved to quarantine/k.1, but a power cut may undo that: fsync: Input/output error\n")
  }

  @Test func writesWhatWasMovedAwayEarlier() throws {
    let event = ScrubEvent.lost(try Key("a b".utf8), path: "values/12/a%20b", quarantinePath: "quarantine/a%20b.5")
    #expect(
      CheckText.line(event)
        == "lost: values/12/a%20b (key a b): found damaged earlier, it is in quarantine/a%20b.5\n")
    let json = #""findings":[{"key":"a%20b","path":"values/12/a%20b","fault":"found damaged earlier","#
    #expect(CheckText.json(ScrubSummary(), [event]).hasSuffix(json + #""quarantine":"quarantine/a%20b.5"}]}"# + "\n"))
  }

  @Test func writesWhatWasNotLookedAtToo() {
    let events = [ScrubEvent.unchecked(path: "values/\n", SystemError(call: "openat", code: 13))]
    #expect(CheckText.line(events[0]) == "unchecked: values/\\x0a: openat: Permission denied\n")
    #expect(
      CheckText.json(ScrubSummary(), events).hasSuffix(
        #""findings":[{"path":"values/\n","error":"openat: Permission denied"}]}"# + "\n"))
  }
}
