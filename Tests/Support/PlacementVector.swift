import Foundation
import KVLinux
import Testing

/// A line of Vectors/placement.tsv: which node owns a key, in a cluster of so many.
package struct PlacementVector: Sendable, CustomTestStringConvertible {
  package let key: String
  package let slot: Int
  package let nodeCount: Int
  /// `node1` and so on, in the order of the peer list.
  package let owner: String

  package var testDescription: String { "\(key) among \(nodeCount)" }

  /// All lines but the heading; empty, which no test passes, where the file cannot be read.
  package static let all: [PlacementVector] = {
    guard let path = Bundle.module.path(forResource: "placement", ofType: "tsv", inDirectory: "Vectors"),
      let text = try? String(contentsOfFile: path, encoding: .utf8)
    else { return [] }
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { PlacementVector(line: $0) }
  }()

  private init?(line: Substring) {
    let columns = line.split(separator: "\t")
    guard columns.count == 4, let slot = Int(columns[1]), let nodeCount = Int(columns[2]) else { return nil }
    (key, self.slot, self.nodeCount, owner) = (String(columns[0]), slot, nodeCount, String(columns[3]))
  }
}
