extension HTTPDate {
  /// Reads any of the three forms of RFC 9110 section 5.6.7, or gives nil: a field with no valid date is ignored.
  ///
  /// A year of two digits is the latest with those digits that is at most 50 years after `now`. The name of the day
  /// must be one, but it is not compared with the date.
  public static func parse(_ text: String, now: HTTPDate) -> HTTPDate? {
    let text = HTTPDateText(bytes: Array(text.utf8))
    return text.fixedForm ?? text.longForm(now: now) ?? text.asctimeForm
  }
}

/// The text of a date, read at fixed places.
private struct HTTPDateText {
  let bytes: [UInt8]

  /// `Sun, 06 Nov 1994 08:49:37 GMT`
  var fixedForm: HTTPDate? {
    guard bytes.count == 29, isOne(of: HTTPDate.dayNames, before: ", "), has(" ", at: 7), has(" ", at: 11),
      has(" ", at: 16), has(" GMT", at: 25)
    else { return nil }
    return moment(year: number(at: 12, digits: 4), month: month(at: 8), day: number(at: 5, digits: 2), clockAt: 17)
  }

  /// `Sunday, 06-Nov-94 08:49:37 GMT`
  func longForm(now: HTTPDate) -> HTTPDate? {
    guard let comma = bytes.firstIndex(of: HTTPByte.comma), bytes.count == comma + 24,
      isOne(of: HTTPDate.longDayNames, before: ", "), has("-", at: comma + 4), has("-", at: comma + 8),
      has(" ", at: comma + 11), has(" GMT", at: comma + 20), let shortYear = number(at: comma + 9, digits: 2)
    else { return nil }
    let latestYear = now.year + 50
    let year = latestYear - (latestYear - shortYear) % 100
    return moment(
      year: year, month: month(at: comma + 5), day: number(at: comma + 2, digits: 2), clockAt: comma + 12)
  }

  /// `Sun Nov  6 08:49:37 1994`
  var asctimeForm: HTTPDate? {
    guard bytes.count == 24, isOne(of: HTTPDate.dayNames, before: " "), has(" ", at: 7), has(" ", at: 10),
      has(" ", at: 19)
    else { return nil }
    let day = has(" ", at: 8) ? number(at: 9, digits: 1) : number(at: 8, digits: 2)
    return moment(year: number(at: 20, digits: 4), month: month(at: 4), day: day, clockAt: 11)
  }

  private func moment(year: Int?, month: Int?, day: Int?, clockAt clock: Int) -> HTTPDate? {
    guard let year, let month, let day, year >= 1, day >= 1, day <= HTTPDate.days(inMonth: month, year: year),
      let hour = number(at: clock, digits: 2), has(":", at: clock + 2),
      let minute = number(at: clock + 3, digits: 2), has(":", at: clock + 5),
      let second = number(at: clock + 6, digits: 2), hour < 24, minute < 60, second <= 60
    else { return nil }
    let midnight = HTTPDate.seconds(year: year, month: month, day: day)
    return HTTPDate(secondsSince1970: midnight + 3600 * hour + 60 * minute + second)
  }

  private func isOne(of names: [String], before separator: String) -> Bool {
    names.contains { has($0 + separator, at: 0) }
  }

  private func month(at start: Int) -> Int? {
    HTTPDate.monthNames.firstIndex { has($0, at: start) }.map { $0 + 1 }
  }

  private func has(_ text: String, at start: Int) -> Bool {
    bytes.dropFirst(start).starts(with: text.utf8)
  }

  private func number(at start: Int, digits: Int) -> Int? {
    let part = bytes.dropFirst(start).prefix(digits)
    guard part.count == digits, part.allSatisfy(HTTPByte.isDigit) else { return nil }
    return part.reduce(0) { 10 * $0 + Int($1 - UInt8(ascii: "0")) }
  }
}
