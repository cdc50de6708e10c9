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
