import ArgumentParser

/// The entity tag of `--if-match`: 32 hex digits, with or without the quotes that HTTP puts around them.
struct EntityTagArgument: ExpressibleByArgument, Equatable {
  /// The digits without quotes.
  let digits: String

  init?(argument: String) {
    let isQuoted = argument.count > 2 && argument.hasPrefix("\"") && argument.hasSuffix("\"")
    let text = isQuoted ? String(argument.dropFirst().dropLast()) : argument
    guard text.utf8.count == 32, text.allSatisfy({ $0.isASCII && $0.isHexDigit }) else { return nil }
    digits = text.lowercased()
  }

  /// The tag as it stands in a field.
  var field: String { "\"\(digits)\"" }
}
