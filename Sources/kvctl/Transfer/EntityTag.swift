import ArgumentParser
import KVCore

/// What tells one value of a key from another: `xxh3-` and the 32 hex digits of its checksum, or the digits alone.
struct EntityTag: ExpressibleByArgument, Equatable, Sendable, CustomStringConvertible {
  private static let algorithm = "xxh3-"

  /// The checksum's digits.
  let digits: String
  /// The tag as it was given, without the quotes that HTTP puts around it.
  let description: String

  /// Reads a tag with or without its quotes.
  init?(argument: String) {
    let isQuoted = argument.count > 2 && argument.hasPrefix("\"") && argument.hasSuffix("\"")
    let text = (isQuoted ? String(argument.dropFirst().dropLast()) : argument).lowercased()
    let digits = text.hasPrefix(Self.algorithm) ? String(text.dropFirst(Self.algorithm.count)) : text
    guard digits.utf8.count == 32, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
    self.digits = digits
    description = text
  }

  /// The tag as it stands in a field.
  var field: String { "\"\(description)\"" }

  /// The field that a value with this checksum meets, whichever of the two ways its node writes the tag.
  var matchField: String { "\"\(Self.algorithm)\(digits)\", \"\(digits)\"" }

  /// Whether it is the tag of bytes with that checksum.
  func matches(_ checksum: ValueChecksum) -> Bool { digits == "\(checksum)" }

  /// Tags of the same checksum are one tag.
  static func == (left: EntityTag, right: EntityTag) -> Bool { left.digits == right.digits }
}
