/// How fast bytes move, by what moved in the last seconds. Times are seconds since some start.
struct RateMeter {
  private static let windowSeconds = 5.0
  private static let samplesMax = 64

  private var samples: [(seconds: Double, bytes: Int)] = []

  /// Takes note of how many bytes have moved so far.
  mutating func record(bytes: Int, atSeconds seconds: Double) {
    samples.append((seconds, bytes))
    let isOld = { (sample: (seconds: Double, bytes: Int)) in seconds - sample.seconds > Self.windowSeconds }
    // One sample older than the window stays, or there would be nothing to compare with after a pause.
    while samples.count > 2, isOld(samples[1]) || samples.count > Self.samplesMax { samples.removeFirst() }
  }

  /// Bytes a second, or nil while there is nothing to go by.
  var bytesPerSecond: Double? {
    guard let first = samples.first, let last = samples.last, last.seconds > first.seconds else { return nil }
    return Double(last.bytes - first.bytes) / (last.seconds - first.seconds)
  }
}
