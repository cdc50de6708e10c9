import Foundation
import Testing

/// The lines of a file of vectors, in columns, without those that explain it.
package enum VectorFile {
  /// Empty, which no test passes, where the file cannot be read.
  package static func rows(_ name: String) -> [[String]] {
    guard let path = Bundle.module.path(forResource: name, ofType: "tsv", inDirectory: "Vectors"),
      let text = try? String(contentsOfFile: path, encoding: .utf8)
    else { return [] }
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
      line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    }
  }
}

/// A line of Vectors/rendezvous.tsv: who owns a slot, as scripts/placement.py has it.
package struct RendezvousVector: Sendable, CustomTestStringConvertible {
  /// A member as it is listed, `name=weight@zone`.
  package struct Member: Sendable {
    package let name: String
    package let weight: Int
    package let zone: String?

    fileprivate init?(_ text: Substring) {
      let parts = text.split(omittingEmptySubsequences: false) { $0 == "=" || $0 == "@" }
      guard parts.count == 3, let weight = Int(parts[1]) else { return nil }
      (name, self.weight, zone) = (String(parts[0]), weight, parts[2].isEmpty ? nil : String(parts[2]))
    }
  }

  package let copies: Int
  package let members: [Member]
  package let slot: Int
  package let owners: [String]

  package var testDescription: String { "\(copies) of \(members.count) for \(slot)" }

  /// All lines.
  package static let all: [RendezvousVector] = VectorFile.rows("rendezvous").compactMap { RendezvousVector($0) }

  private init?(_ columns: [String]) {
    guard columns.count == 4, let copies = Int(columns[0]), let slot = Int(columns[2]) else { return nil }
    (self.copies, self.slot) = (copies, slot)
    members = columns[1].split(separator: " ").compactMap { Member($0) }
    owners = columns[3].split(separator: " ").map(String.init)
  }
}
