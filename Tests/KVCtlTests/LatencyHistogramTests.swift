import Testing

@testable import kvctl

@Suite struct LatencyHistogramTests {
  @Test func hasNoPercentilesWithoutCounts() {
    #expect(LatencyHistogram().percentileMicroseconds(99) == 0)
    #expect(LatencyHistogram().maximumMicroseconds == 0)
  }

  @Test func isExactForShortTimes() {
    var histogram = LatencyHistogram()
    for value in 1...100 { histogram.record(microseconds: value) }
    #expect([1, 50, 90, 99, 100].map(histogram.percentileMicroseconds) == [1, 50, 90, 99, 100])
  }

  @Test(arguments: [0, 1, 127, 128, 129, 255, 256, 1000, 65_535, 65_536, 1_000_000, 86_400_000_000, Int.max])
  func isWithinTwoPercent(value: Int) {
    var histogram = LatencyHistogram()
    histogram.record(microseconds: value)
    // Something longer, so that the maximum does not hide the bucket's bound.
    histogram.record(microseconds: .max)
    let found = histogram.percentileMicroseconds(50)
    #expect(found >= value)
    #expect(Double(found) <= Double(value) * 1.016)
    #expect(histogram.maximumMicroseconds == .max)
  }

  @Test func aSumIsAsIfAllWereCountedInOne() {
    var (left, right, all) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
    for value in stride(from: 0, to: 100_000, by: 37) {
      if value.isMultiple(of: 2) { left.record(microseconds: value) } else { right.record(microseconds: value) }
      all.record(microseconds: value)
    }
    left.add(right)
    #expect(left == all)
    #expect(left.count == 2703)
  }

  @Test func takesANegativeTimeForNone() {
    var histogram = LatencyHistogram()
    histogram.record(microseconds: -5)
    #expect(histogram.percentileMicroseconds(100) == 0)
    #expect(histogram.count == 1)
  }
}
