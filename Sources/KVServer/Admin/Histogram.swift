/// Counts durations by size, as Prometheus wants its histograms.
struct Histogram: Sendable {
  /// The upper bounds of the buckets in seconds, from a small value in the page cache to a gigabyte over a slow link.
  static let boundsSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

  private var counts = [Int](repeating: 0, count: boundsSeconds.count + 1)
  private var sumSeconds = 0.0

  /// Counts a duration.
  mutating func record(seconds: Double) {
    let index = Self.boundsSeconds.firstIndex { seconds <= $0 } ?? Self.boundsSeconds.count
    counts[index] += 1
    sumSeconds += seconds
  }

  /// Writes the buckets, the sum and the count.
  func write(_ name: String, _ labels: [(String, String)], to text: inout PrometheusText) {
    var total = 0
    for (bound, count) in zip(Self.boundsSeconds, counts) {
      total += count
      text.sample("\(name)_bucket", labels + [("le", "\(bound)")], Double(total))
    }
    total += counts[Self.boundsSeconds.count]
    text.sample("\(name)_bucket", labels + [("le", "+Inf")], Double(total))
    text.sample("\(name)_sum", labels, sumSeconds)
    text.sample("\(name)_count", labels, Double(total))
  }
}
