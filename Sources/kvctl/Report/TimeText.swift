import KVHTTP

/// A moment in UTC as people and programs read it (ISO 8601): `2026-11-28T20:22:58Z`.
struct TimeText: CustomStringConvertible {
  let description: String

  /// Writes a date of HTTP anew, or gives nil where it is none: `Sat, 28 Nov 2026 20:22:58 GMT`.
  init?(_ date: String) {
    let words = date.split(separator: " ")
    guard words.count == 6, HTTPDate.parse(date, now: HTTPDate(secondsSince1970: 0)) != nil,
      let month = HTTPDate.monthNames.firstIndex(of: String(words[2]))
    else { return nil }
    description = "\(words[3])-\(month < 9 ? "0" : "")\(month + 1)-\(words[1])T\(words[4])Z"
  }
}
