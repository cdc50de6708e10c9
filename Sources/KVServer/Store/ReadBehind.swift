/// Which part of a large value's file need not stay in memory, while it is sent from front to back.
///
/// The page cache is the cache, and the kernel knows best what to keep, except of a value that would take much of the
/// memory: keeping that costs many others their place, and it does not stay long enough to be of use.
struct ReadBehind {
  /// A value is dropped behind the reader when it is larger than this part of the memory.
  private static let memoryParts = 4
  /// What is still on its way through a socket cannot be dropped, so that the dropping stays so far behind.
  static let lagBytes = 32 << 20
  /// How much is dropped at a time, at least.
  static let stepBytes = 16 << 20

  private let isNeeded: Bool
  private var droppedTo: Int

  init(offsets: Range<Int>, memoryBytes: Int) {
    isNeeded = offsets.count > memoryBytes / Self.memoryParts
    droppedTo = offsets.lowerBound
  }

  /// The reader has come to the offset: what can be dropped now.
  mutating func advanced(to offset: Int) -> Range<Int>? {
    guard isNeeded, offset - Self.lagBytes - droppedTo >= Self.stepBytes else { return nil }
    defer { droppedTo = offset - Self.lagBytes }
    return droppedTo..<offset - Self.lagBytes
  }
}
