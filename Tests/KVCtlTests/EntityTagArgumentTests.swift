import Testing

@testable import kvctl

@Suite struct EntityTagArgumentTests {
  private static let digits = "0123456789abcdef0123456789abcdef"

  @Test(arguments: [digits, digits.uppercased(), "\"\(digits)\""])
  func readsDigitsWithAndWithoutQuotes(text: String) {
    #expect(EntityTagArgument(argument: text)?.digits == Self.digits)
    #expect(EntityTagArgument(argument: text)?.field == "\"xxh3-\(Self.digits)\"")
  }

  @Test(arguments: [
    "", "*", "\"", "\"\"", "W/\"\(digits)\"", "\(digits)0", "\"\(digits)", "g123456789abcdef0123456789abcdef",
  ])
  func refusesAnythingElse(text: String) { #expect(EntityTagArgument(argument: text) == nil) }
}
