import KVCluster

/// Who decides about the layout of a world, and how.
protocol Government: AnyObject {
  func start()
  /// Whether what is wished is in force, and everybody knows.
  var isAtRest: Bool { get }
  /// What is still to be done, where something is.
  var unrest: String? { get }
  /// How many copies are wished.
  var copies: Int { get }
  /// What was decided twice.
  var contradiction: String? { get }
  /// Whether there never will be a layout, so that somebody has to clear the disks.
  var isHopeless: Bool { get }
}

/// All layouts that were decided, by version.
struct Decisions {
  private var layouts: [UInt64: Layout] = [:]
  private(set) var contradiction: String?

  mutating func add(_ layout: Layout) {
    if let other = layouts[layout.version], other != layout {
      contradiction = "two layouts of version \(layout.version) were decided"
    }
    layouts[layout.version] = layout
  }
}
