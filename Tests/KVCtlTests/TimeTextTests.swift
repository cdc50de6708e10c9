import Testing

@testable import kvctl

@Suite struct TimeTextTests {
  @Test(arguments: [
    ("Sat, 28 Nov 2026 20:22:58 GMT", "2026-11-28T20:22:58Z"),
    ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
  ])
  func writesDatesOfHTTPAnew(date: String, expected: String) { #expect(TimeText(date)?.description == expected) }

  @Test(arguments: ["", "yesterday", "Sat, 31 Nov 2026 20:22:58 GMT", "Sat, 28 Nov 2026 20:22:58 CET", "1 2 3 4 5 6"])
  func refusesWhatIsNoDate(date: String) { #expect(TimeText(date) == nil) }
}
