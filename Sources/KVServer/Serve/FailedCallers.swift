import KVCore

/// Where wrong tokens have come from, and how long the answer to the next one is held back. A token cannot be guessed;
/// but a program that tries, or one with an old token, costs less so, and fills no log.
struct FailedCallers {
  /// The most addresses that are remembered; the one that has been quiet longest makes room.
  static let addressesMax = 1024
  /// So many mistakes cost nothing.
  static let freeCount = 3
  /// The longest an answer is held back.
  static let pauseMax = Duration.seconds(5)
  /// After so long a quiet time all is forgotten.
  static let memory = Duration.seconds(60)

  private static let pauseMin = Duration.milliseconds(100)
  /// Past this, doubling would pass the longest pause anyway.
  private static let doublingsMax = 10

  private struct Record {
    var count = 0
    var lastAt: Instant
  }

  private var records: [IPAddress?: Record] = [:]

  /// A wrong token has come: how long to hold back the answer.
  mutating func failed(_ address: IPAddress?, at now: Instant) -> Duration {
    let origin = address.map(Self.origin)
    var record = records[origin] ?? Record(lastAt: now)
    if now.since(record.lastAt) >= Self.memory { record.count = 0 }
    record.count = min(record.count + 1, Self.freeCount + Self.doublingsMax)
    record.lastAt = now
    if records[origin] == nil, records.count >= Self.addressesMax { forgetOne() }
    records[origin] = record
    guard record.count > Self.freeCount else { return .zero }
    return min(Self.pauseMin * (1 << (record.count - Self.freeCount - 1)), Self.pauseMax)
  }

  /// Somebody with one IPv6 address has all of its network's.
  private static func origin(_ address: IPAddress) -> IPAddress {
    if case .v6(let value) = address { .v6((value >> 64) << 64) } else { address }
  }

  private mutating func forgetOne() {
    guard let oldest = records.min(by: { $0.value.lastAt < $1.value.lastAt }) else { return }
    records[oldest.key] = nil
  }
}
