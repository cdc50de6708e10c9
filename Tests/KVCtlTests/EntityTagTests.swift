import KVCore
import Testing

@testable import kvctl

@Suite struct EntityTagTests {
  private static let digits = "0123456789abcdef0123456789abcdef"

  @Test(arguments: [digits, digits.uppercased(), "\"\(digits)\"", "xxh3-\(digits)", "\"xxh3-\(digits)\""])
  func readsDigitsWithAndWithoutQuotesAndAlgorithm(text: String) {
    #expect(EntityTag(argument: text)?.digits == Self.digits)
    #expect(EntityTag(argument: text)?.matchField == "\"xxh3-\(Self.digits)\", \"\(Self.digits)\"")
    #expect(EntityTag(argument: text) == EntityTag(argument: Self.digits))
  }

  @Test(arguments: [digits, "xxh3-\(digits)"])
  func givesBackWhatItWasGiven(text: String) { #expect(EntityTag(argument: text)?.field == "\"\(text)\"") }

  @Test(arguments: [
    "", "*", "\"", "\"\"", "W/\"\(digits)\"", "\(digits)0", "\"\(digits)", "g123456789abcdef0123456789abcdef",
    "xxh3-", "xxh4-\(digits)", "xxh3-xxh3-\(digits)",
  ])
  func refusesAnythingElse(text: String) { #expect(EntityTag(argument: text) == nil) }

  @Test func knowsItsChecksum() {
    let checksum = ValueChecksum(high: 0x0123_4567_89ab_cdef, low: 0x0123_4567_89ab_cdef)
    #expect(EntityTag(argument: "xxh3-\(Self.digits)")?.matches(checksum) == true)
    #expect(EntityTag(argument: "xxh3-\(Self.digits)")?.matches(ValueChecksum(high: 0, low: 0)) == false)
  }
}
