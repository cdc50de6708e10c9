/// Keeps a transfer whose other end is always ready from holding its thread for good.
struct Turn {
  /// How much is moved before other tasks of the same threads go on.
  private static let bytes = 16 << 20

  private var bytesMoved = 0

  /// Counts what was moved, and lets others go first when it is enough.
  mutating func moved(_ byteCount: Int) async {
    bytesMoved += byteCount
    guard bytesMoved >= Self.bytes else { return }
    bytesMoved = 0
    await Task.yield()
  }
}
