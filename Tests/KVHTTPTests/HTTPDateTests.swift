import Testing

@testable import KVHTTP

/// 2025-06-01 00:00:00 UTC.
private let now = HTTPDate(secondsSince1970: 1_748_736_000)

@Suite struct HTTPDateTests {
  @Test(arguments: [
    (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
    (-1, "Wed, 31 Dec 1969 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
    (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
    (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (2_147_483_648, "Tue, 19 Jan 2038 03:14:08 GMT"),
    (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"), (-62_135_596_800, "Mon, 01 Jan 0001 00:00:00 GMT"),
    (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
  ])
  func writesAndReads(seconds: Int, text: String) {
    let date = HTTPDate(secondsSince1970: seconds)
    #expect(date.formatted == text)
    #expect(HTTPDate.parse(text, now: now) == date)
  }

  @Test(arguments: [(Int.min, "Mon, 01 Jan 0001 00:00:00 GMT"), (Int.max, "Fri, 31 Dec 9999 23:59:59 GMT")])
  func writesTheNearestYearThereIs(seconds: Int, text: String) {
    #expect(HTTPDate(secondsSince1970: seconds).formatted == text)
  }

  @Test func everyDayOfFourHundredYearsComesBack() {
    var previous = ""
    for day in 0..<146_097 {
      let date = HTTPDate(secondsSince1970: day * 86_400 + day % 86_400)
      let text = date.formatted
      guard HTTPDate.parse(text, now: now) == date, text != previous else {
        Issue.record("day \(day) became \(text)")
        return
      }
      previous = text
    }
    #expect(previous.hasPrefix("Wed, 31 Dec 2369"))
  }

  @Test(arguments: [
    ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777), ("Sun Nov  6 08:49:37 1994", 784_111_777),
    ("Sun Nov 16 08:49:37 1994", 784_975_777), ("Wednesday, 01-Jan-75 00:00:00 GMT", 3_313_526_400),
    ("Thursday, 01-Jan-76 00:00:00 GMT", 189_302_400), ("Tuesday, 29-Feb-00 00:00:00 GMT", 951_782_400),
    ("Sat, 31 Dec 2016 23:59:60 GMT", 1_483_228_800), ("Mon, 06 Nov 1994 08:49:37 GMT", 784_111_777),
  ])
  func readsTheOtherForms(text: String, seconds: Int) {
    #expect(HTTPDate.parse(text, now: now) == HTTPDate(secondsSince1970: seconds))
  }

  @Test(arguments: [
    "", "0", "784111777", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT", "Xyz, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
    "Wed, 29 Feb 2023 00:00:00 GMT", "Wed, 29 Feb 1900 00:00:00 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT ", " Sun, 06 Nov 1994 08:49:37 GMT", "Sun, +6 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun, 06-Nov-94 08:49:37 GMT", "Sunday, 29-Feb-01 08:49:37 GMT",
    "Sun Nov 6 08:49:37 1994", "Sun Nov 06 08:49:37 94", "Sunday Nov  6 08:49:37 1994", "Sun Nov  6 08.49.37 1994",
    "Sun, 06 Nov 1994 08:49:37 ÄÖ", ",", "Sunday,",
  ])
  func readsNothingElse(text: String) {
    #expect(HTTPDate.parse(text, now: now) == nil)
  }

  @Test func ordersMoments() {
    #expect(HTTPDate(secondsSince1970: 1) < now)
    #expect(!(now < now))
  }
}
