import KVCore
import KVLinux

/// What a disk must not forget between two processes, as the file `node` in the data directory has it.
/// docs/value-format.md specifies it.
package struct NodeRecord: Equatable, Sendable {
  /// How often a node has been started on the disk.
  package var bootCount: UInt64
  /// No ballot whose counter is above it was ever promised or used.
  package var horizon: UInt64
  /// Whether the disk was put back to an earlier state, and has not got its votes again yet.
  package var isWithheld: Bool

  static let bytesMax = 256
  /// Beyond this, counting on could overflow.
  private static let numberMax: UInt64 = 1 << 63
  private static let heading = "kvnode node 1"
  private static let withheld = "votes withheld"

  package init(bootCount: UInt64, horizon: UInt64, isWithheld: Bool = false) {
    (self.bootCount, self.horizon, self.isWithheld) = (bootCount, horizon, isWithheld)
  }

  /// Reads the file's text; nil for anything that `text` does not write.
  package init?(_ text: [UInt8]) {
    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count >= 4, lines[0] == Self.heading,
      let bootCount = Self.number(lines[1], "boots "), let horizon = Self.number(lines[2], "horizon "),
      max(bootCount, horizon) <= Self.numberMax
    else { return nil }
    self.init(bootCount: bootCount, horizon: horizon, isWithheld: lines[3] == Self.withheld)
    guard Array(self.text.utf8) == text else { return nil }
  }

  /// The file's text.
  package var text: String {
    "\(Self.heading)\nboots \(bootCount)\nhorizon \(horizon)\n" + (isWithheld ? "\(Self.withheld)\n" : "")
  }

  private static func number(_ line: Substring, _ label: String) -> UInt64? {
    line.hasPrefix(label) ? UInt64(line.dropFirst(label.count)) : nil
  }
}
