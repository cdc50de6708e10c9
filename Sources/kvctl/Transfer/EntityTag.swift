import ArgumentParser
import KVCore

/// What tells one value of a key from another: `xxh3-` and the 32 hex digits of its checksum, or the digits alone.
struct EntityTag: ExpressibleByArgument, Equatable, Sendable, CustomStringConvertible {
  private let checksum: ValueChecksum
  /// The tag as it was given, without the quotes that HTTP puts around it.
  let description: String

  /// Reads a tag with or without its quotes.
  init?(argument: String) {
    let isQuoted = argument.count > 2 && argument.hasPrefix("\"") && argument.hasSuffix("\"")
    let text = (isQuoted ? String(argument.dropFirst().dropLast()) : argument).lowercased()
    guard let checksum = ValueChecksum(entityTag: text[...]) else { return nil }
    self.checksum = checksum
    description = text
  }

  /// The checksum's digits.
  var digits: String { checksum.description }

  /// The tag as it stands in a field.
  var field: String { "\"\(description)\"" }

  /// The field that a value with this checksum meets, whichever of the two ways its node writes the tag.
  var matchField: String { "\"\(checksum.entityTag)\", \"\(checksum)\"" }

  /// Whether it is the tag of bytes with that checksum.
  func matches(_ other: ValueChecksum) -> Bool { checksum == other }

  /// Tags of the same checksum are one tag.
  static func == (left: EntityTag, right: EntityTag) -> Bool { left.checksum == right.checksum }
}
