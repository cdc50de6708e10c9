/// What the operations of a bench came to.
struct BenchTally: Equatable, Sendable {
  /// Operations of one kind.
  struct Kind: Equatable, Sendable {
    private(set) var operations = 0
    private(set) var bytes = 0
    private(set) var latency = LatencyHistogram()

    /// Counts an operation that went well.
    mutating func record(bytes: Int, microseconds: Int) {
      operations += 1
      self.bytes += bytes
      latency.record(microseconds: microseconds)
    }

    /// Takes another tally's counts in.
    mutating func add(_ other: Kind) {
      operations += other.operations
      bytes += other.bytes
      latency.add(other.latency)
    }
  }

  var puts = Kind()
  var gets = Kind()

  /// Takes another tally's counts in.
  mutating func add(_ other: BenchTally) {
    puts.add(other.puts)
    gets.add(other.gets)
  }
}

/// Counts how long things took, exactly to about 1.6 %, in memory that does not grow with the number of things.
///
/// Up to 127 µs each microsecond has a bucket of its own; from there on each power of two is divided into 64.
struct LatencyHistogram: Equatable, Sendable {
  private static let exactBuckets = 128
  private static let bucketsPerPower = 64

  private var buckets: [Int] = []
  private(set) var count = 0
  private(set) var maximumMicroseconds = 0

  /// Counts a duration; a negative one as none.
  mutating func record(microseconds: Int) {
    let value = max(microseconds, 0)
    let index = Self.index(of: value)
    if index >= buckets.count { buckets += [Int](repeating: 0, count: index + 1 - buckets.count) }
    buckets[index] += 1
    count += 1
    maximumMicroseconds = max(maximumMicroseconds, value)
  }

  /// Takes another histogram's counts in.
  mutating func add(_ other: LatencyHistogram) {
    if other.buckets.count > buckets.count {
      buckets += [Int](repeating: 0, count: other.buckets.count - buckets.count)
    }
    for (index, bucket) in other.buckets.enumerated() { buckets[index] += bucket }
    count += other.count
    maximumMicroseconds = max(maximumMicroseconds, other.maximumMicroseconds)
  }

  /// What so many percent of the durations did not exceed; 0 where there are none.
  func percentileMicroseconds(_ percent: Int) -> Int {
    let wanted = max((count * percent + 99) / 100, 1)
    var seen = 0
    for (index, bucket) in buckets.enumerated() {
      seen += bucket
      if seen >= wanted { return min(Self.upperBound(of: index), maximumMicroseconds) }
    }
    return maximumMicroseconds
  }

  private static func index(of value: Int) -> Int {
    guard value >= exactBuckets else { return value }
    let shift = Int.bitWidth - value.leadingZeroBitCount - 7
    return exactBuckets + (shift - 1) * bucketsPerPower + (value >> shift) - bucketsPerPower
  }

  private static func upperBound(of index: Int) -> Int {
    guard index >= exactBuckets else { return index }
    let shift = (index - exactBuckets) / bucketsPerPower + 1
    let step = (index - exactBuckets) % bucketsPerPower + bucketsPerPower
    return step << shift | (1 << shift - 1)
  }
}
