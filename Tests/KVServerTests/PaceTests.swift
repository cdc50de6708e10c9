import KVCore
import Testing

@testable import KVServer

/// How fast values move, without a clock.
@Suite struct PaceTests {
  private let start = Instant(nanoseconds: 1_000_000_000)

  @Test func theSumKeepsToTheRate() {
    var pace = Pace()
    var now = start
    for _ in 0..<100 { now = max(now, pace.due(after: 1000, bytesPerSecond: 10_000, at: now)) }
    #expect(now.since(start) == .seconds(10))
  }

  /// Bytes that did not come earlier do not come all at once later.
  @Test func whatWasNotUsedIsNotSaved() {
    var pace = Pace()
    _ = pace.due(after: 1, bytesPerSecond: 1_000_000, at: start)
    let later = start.advanced(by: .seconds(100))
    let due = pace.due(after: 1_000_000, bytesPerSecond: 1_000_000, at: later)
    #expect(due == later.advanced(by: .seconds(1)).advanced(by: .zero - Pace.burst))
  }

  @Test func aLowerRateHoldsForWhatComesNext() {
    var pace = Pace()
    let first = pace.due(after: 1000, bytesPerSecond: 1000, at: start)
    #expect(pace.due(after: 1000, bytesPerSecond: 250, at: first).since(first) == .seconds(4))
  }
}
