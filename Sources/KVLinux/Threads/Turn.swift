/// Keeps a transfer whose other end is always ready from holding its thread for good.
package struct Turn {
  /// How much is moved before other tasks of the same threads go on.
  private static let bytes = 16 << 20

  private var bytesMoved = 0

  /// A turn that begins now.
  package init() {}

  /// Counts what was moved, and lets others go first when it is enough.
  package mutating func moved(_ byteCount: Int) async {
    bytesMoved += byteCount
    guard bytesMoved >= Self.bytes else { return }
    bytesMoved = 0
    await Task.yield()
  }
}
