import Testing

@testable import kvctl

@Suite struct ListingTextTests {
  private static let key = Array("a b\n\\".utf8) + [0xFF]
  private static let known = ListedValue(
    key: [0x62], byteCount: 1536, entityTag: EntityTag(argument: "0123456789abcdef0123456789abcdef"),
    time: "2026-11-28T20:22:58Z")

  private func text(_ text: ListingText, _ values: [ListedValue]) -> [UInt8] {
    var text = text
    var bytes = Array(text.opening.utf8)
    for value in values { bytes += text.entry(value) }
    return bytes + Array(text.closing.utf8)
  }

  private func short(_ style: ListingText.Style) -> [UInt8] {
    text(ListingText(style: style, isLong: false), [ListedValue(key: Self.key), ListedValue(key: [0x62])])
  }

  @Test func escapesForPeople() { #expect(short(.plain) == Array("a b\\x0a\\x5c\\xff\nb\n".utf8)) }

  @Test func encodesForURLs() { #expect(short(.encoded) == Array("a%20b%0A%5C%FF\nb\n".utf8)) }

  @Test func keepsEveryByteBetweenNULs() { #expect(short(.null) == Self.key + [0, 0x62, 0]) }

  @Test func writesJSON() { #expect(short(.json) == Array(#"{"keys":["a%20b%0A%5C%FF","b"]}"#.utf8) + [0x0A]) }

  @Test func writesAnEmptyListing() {
    #expect(text(ListingText(style: .json, isLong: true), []) == Array("{\"keys\":[]}\n".utf8))
  }

  @Test func showsWhatIsKnownAndWhatIsNot() {
    let lines = text(ListingText(style: .plain, isLong: true), [Self.known, ListedValue(key: [0x63])])
    #expect(
      String(decoding: lines, as: UTF8.self)
        == "          1536  2026-11-28T20:22:58Z  b\n             ?  ?                     c\n")
    let json = text(ListingText(style: .json, isLong: true), [Self.known])
    #expect(
      String(decoding: json, as: UTF8.self)
        == "{\"keys\":[{\"key\":\"b\",\"bytes\":1536,\"etag\":\"0123456789abcdef0123456789abcdef\","
        + "\"modified\":\"2026-11-28T20:22:58Z\"}]}\n")
  }

  @Test(arguments: [
    (ListingText.Style.plain, false, "b\n1 value, 1536 bytes\n"), (.plain, true, "b\n1 value, 1.5 KiB\n"),
    (.json, true, "{\"keys\":[\"b\"],\"values\":1,\"bytes\":1536}\n"),
  ])
  func addsUp(style: ListingText.Style, isForPeople: Bool, expected: String) {
    var listing = ListingText(style: style, isLong: false)
    listing.isForPeople = isForPeople
    listing.hasTotal = true
    #expect(String(decoding: text(listing, [Self.known]), as: UTF8.self) == expected)
  }
}
