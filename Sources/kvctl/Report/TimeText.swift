import KVHTTP

/// A moment in UTC as people and programs read it (ISO 8601): `2026-11-28T20:22:58Z`.
struct TimeText: CustomStringConvertible {
  let description: String

  /// Writes a date of HTTP anew, or gives nil where it is none: `Sat, 28 Nov 2026 20:22:58 GMT`.
  init?(_ date: String) {
    // Of the forms that a date has had, one has six words.
    guard date.split(separator: " ").count == 6,
      let moment = HTTPDate.parse(date, now: HTTPDate(secondsSince1970: 0))
    else { return nil }
    description = moment.timestamp
  }
}
