/// Keeps a connection whose other end is always ready from holding its thread for good: a turn ends after so long a
/// time, so many bytes or so many requests, whichever comes first.
package struct Turn {
  private static let bytesMax = 8 << 20
  private static let requestsMax = 16

  private var bytes = 0
  private var requests = 0

  /// A turn that begins now.
  package init() {}

  /// Counts what was moved, and lets others go first when it is enough.
  @inline(__always)
  package mutating func moved(_ byteCount: Int) async {
    bytes += byteCount
    if bytes >= Self.bytesMax || IOExecutor.turnIsOver { await end() }
  }

  /// Counts a request that was served, and lets others go first when it is enough.
  @inline(__always)
  package mutating func served() async {
    requests += 1
    if requests >= Self.requestsMax || IOExecutor.turnIsOver { await end() }
  }

  private mutating func end() async {
    (bytes, requests) = (0, 0)
    await IOExecutor.pause()
  }
}
