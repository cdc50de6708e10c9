import Testing

@testable import KVCore

struct TimeSpanTests {
  @Test(arguments: [
    ("0", 0), ("10", 10_000), ("500ms", 500), ("10s", 10_000), ("10sec", 10_000), ("10 s", 10_000), ("2min", 120_000),
    ("1h", 3_600_000), ("1min 30s", 90_000), ("1min30s", 90_000), ("1h \t 1 min 1", 3_661_000), ("1s 1s", 2000),
    ("9223372036854775807ms", Int.max),
  ])
  func readsSums(text: String, milliseconds: Int) throws {
    #expect(try TimeSpan(parsing: text).duration == .milliseconds(milliseconds))
  }

  @Test(arguments: [
    "", "s", "ms", "-1s", "+1s", "1.5s", "1m", "1S", "1d", "infinity", "10s,", "1min,30s", "1min s", " 10s",
    "10s\u{301}",
  ])
  func refusesWhatIsNoTimeSpan(text: String) {
    #expect(throws: SettingError(expected: "a time span such as 10s or 1min 30s, in ms, s, min or h")) {
      try TimeSpan(parsing: text)
    }
  }

  @Test(arguments: ["9223372036854775808ms", "9223372036854776s", "9223372036854775807ms 1ms", "99999999999999999999h"])
  func refusesOverflow(text: String) {
    #expect(throws: SettingError(expected: "a time span of at most 9223372036854775807 milliseconds")) {
      try TimeSpan(parsing: text)
    }
  }
}
