import KVCore

/// How long one sink of several has held up all others, and whether that is too much.
///
/// Where several lag at once, the network or the disks are as slow for one as for another, and nobody is to blame. Who
/// merely takes longer than others is waited for: only one that keeps a value from getting anywhere is not.
struct Lag {
  /// Whoever takes so many bytes a second is fast enough, whatever the others do.
  static let bytesPerSecondMin = 8 << 20

  /// For how long the others have waited for it alone.
  private(set) var held = Duration.zero

  /// Takes note that the others have waited for it.
  mutating func waited(_ duration: Duration) { held += duration }

  /// Whether it is too slow, having taken so many bytes in that time: it has held up the others for longer than that, for
  /// more than half of the time, and is far from as fast as it could be.
  func isTooMuch(of byteCount: Int, in elapsed: Duration, lagMax: Duration) -> Bool {
    held > lagMax && held * 2 > elapsed
      && Double(byteCount) < Double(Self.bytesPerSecondMin) * elapsed.inSeconds
  }
}
