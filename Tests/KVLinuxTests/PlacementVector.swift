import KVCore
import KVLinux
import Testing

/// A line of Vectors/placement.tsv, as far as it is about slots.
struct PlacementVector: Sendable, CustomTestStringConvertible {
  let key: String
  let slot: Int

  var testDescription: String { key }

  /// All lines but the heading; empty, which no test passes, where the file cannot be read.
  static let all: [PlacementVector] = {
    guard let contents = try? File(path: TestResources.path("Vectors/placement.tsv")).contents(bytesMax: 1 << 20) else {
      return []
    }
    let lines = String(decoding: contents, as: UTF8.self).split(separator: "\n")
    return lines.filter { !$0.hasPrefix("#") }.compactMap { PlacementVector(line: $0) }
  }()

  private init?(line: Substring) {
    let columns = line.split(separator: "\t")
    guard columns.count == 4, let slot = Int(columns[1]) else { return nil }
    (key, self.slot) = (String(columns[0]), slot)
  }
}
