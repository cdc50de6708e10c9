import Testing

@testable import kvctl

@Suite struct ListingTextTests {
  private static let key = Array("a b\n\\".utf8) + [0xFF]

  private func text(_ style: ListingText.Style) -> [UInt8] {
    var text = ListingText(style: style, isLong: false)
    var bytes = Array(text.opening.utf8)
    bytes += text.entry(Self.key, nil)
    bytes += text.entry([0x62], nil)
    return bytes + Array(text.closing.utf8)
  }

  @Test func escapesForPeople() { #expect(text(.plain) == Array("a b\\x0a\\x5c\\xff\nb\n".utf8)) }

  @Test func encodesForURLs() { #expect(text(.encoded) == Array("a%20b%0A%5C%FF\nb\n".utf8)) }

  @Test func keepsEveryByteBetweenNULs() { #expect(text(.null) == Self.key + [0, 0x62, 0]) }

  @Test func writesJSON() { #expect(text(.json) == Array(#"{"keys":["a%20b%0A%5C%FF","b"]}"#.utf8) + [0x0A]) }

  @Test func writesAnEmptyListing() {
    let text = ListingText(style: .json, isLong: true)
    #expect(text.opening + text.closing == "{\"keys\":[]}\n")
  }

  @Test func showsWhatIsNotKnown() {
    var text = ListingText(style: .plain, isLong: true)
    #expect(String(decoding: text.entry([0x62], .unknown), as: UTF8.self) == "             ?  ?  b\n")
  }
}
