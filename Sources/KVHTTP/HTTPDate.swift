/// A moment as HTTP writes it, to the second, in the proleptic Gregorian calendar and UTC (RFC 9110 section 5.6.7).
package struct HTTPDate: Equatable, Comparable, Sendable {
  /// Seconds since 1970-01-01 00:00:00 UTC, leap seconds not counted.
  package let secondsSince1970: Int

  /// The moment so many seconds after the start of 1970, or before it.
  package init(secondsSince1970: Int) { self.secondsSince1970 = secondsSince1970 }

  /// The second of a moment that is known to the nanosecond.
  package init(nanosecondsSince1970: Int64) { self.init(secondsSince1970: Int(nanosecondsSince1970 / 1_000_000_000)) }

  /// Whether one moment comes before the other.
  package static func < (left: HTTPDate, right: HTTPDate) -> Bool { left.secondsSince1970 < right.secondsSince1970 }

  package static let dayNames = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
  package static let longDayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
  package static let monthNames = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  private static let secondsPerDay = 86_400
  private static let daysPerYear = 365
  private static let firstMoment = seconds(year: 1, month: 1, day: 1)
  private static let lastMoment = seconds(year: 10_000, month: 1, day: 1) - 1

  /// The form all senders use, `Sun, 06 Nov 1994 08:49:37 GMT`.
  ///
  /// It has four digits for the year: moments outside the years 1 to 9999 are written as the nearest inside.
  package var formatted: String {
    let (dayNumber, second) = dayAndSecond
    let (year, month, day) = Self.date(dayNumber: dayNumber)
    let weekday = Self.dayNames[Self.modulo(dayNumber + 4, 7)]
    var text: [UInt8] = []
    text.reserveCapacity(29)
    text += weekday.utf8
    text += ", ".utf8
    Self.append(day, digitCount: 2, to: &text)
    text += " \(Self.monthNames[month - 1]) ".utf8
    Self.append(year, digitCount: 4, to: &text)
    for (separator, number) in [(" ", second / 3600), (":", second / 60 % 60), (":", second % 60)] {
      text += separator.utf8
      Self.append(number, digitCount: 2, to: &text)
    }
    text += " GMT".utf8
    return String(decoding: text, as: UTF8.self)
  }

  /// The form of RFC 3339, `1994-11-06T08:49:37Z`, in the same years.
  package var timestamp: String {
    let (dayNumber, second) = dayAndSecond
    let (year, month, day) = Self.date(dayNumber: dayNumber)
    var text: [UInt8] = []
    text.reserveCapacity(20)
    Self.append(year, digitCount: 4, to: &text)
    for (separator, number) in [
      ("-", month), ("-", day), ("T", second / 3600), (":", second / 60 % 60), (":", second % 60),
    ] {
      text += separator.utf8
      Self.append(number, digitCount: 2, to: &text)
    }
    text.append(UInt8(ascii: "Z"))
    return String(decoding: text, as: UTF8.self)
  }

  /// Reads just what `timestamp` writes.
  package init?(timestamp text: [UInt8]) {
    let form = Array("0000-00-00T00:00:00Z".utf8)
    guard text.count == form.count else { return nil }
    var numbers: [Int] = [0]
    for (byte, place) in zip(text, form) {
      if place == UInt8(ascii: "0") {
        guard HTTPByte.isDigit(byte) else { return nil }
        numbers[numbers.count - 1] = 10 * numbers[numbers.count - 1] + Int(byte - UInt8(ascii: "0"))
      } else {
        guard byte == place else { return nil }
        numbers.append(0)
      }
    }
    guard numbers[0] >= 1, (1...12).contains(numbers[1]), (1...31).contains(numbers[2]) else { return nil }
    let start = Self.seconds(year: numbers[0], month: numbers[1], day: numbers[2])
    self.init(secondsSince1970: start + 3600 * numbers[3] + 60 * numbers[4] + numbers[5])
    guard timestamp == String(decoding: text, as: UTF8.self) else { return nil }
  }

  /// The year of the moment, for two-digit years to be compared with.
  package var year: Int { Self.date(dayNumber: dayAndSecond.dayNumber).year }

  /// The day, counted from 1970-01-01 as 0, and the second in it, of the nearest moment in the years 1 to 9999.
  private var dayAndSecond: (dayNumber: Int, second: Int) {
    let seconds = min(max(secondsSince1970, Self.firstMoment), Self.lastMoment)
    let second = Self.modulo(seconds, Self.secondsPerDay)
    return ((seconds - second) / Self.secondsPerDay, second)
  }

  /// Seconds from the start of 1970 to midnight of a day; the year is 1 to 10,000, the month 1 to 12, and a day past
  /// the month's end runs on into the next.
  package static func seconds(year: Int, month: Int, day: Int) -> Int {
    let daysBeforeMonth = (1..<month).reduce(0) { $0 + days(inMonth: $1, year: year) }
    return (daysBefore(year: year) + daysBeforeMonth + day - 1 - daysBefore(year: 1970)) * secondsPerDay
  }

  /// How long a month is, leap years considered.
  package static func days(inMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Days from the start of the year 1 to the start of a year.
  private static func daysBefore(year: Int) -> Int {
    let past = year - 1
    return past * daysPerYear + past / 4 - past / 100 + past / 400
  }

  /// The date of a day, counted from 1970-01-01 as 0, in the years 1 to 9999.
  private static func date(dayNumber: Int) -> (year: Int, month: Int, day: Int) {
    let days = dayNumber + daysBefore(year: 1970)
    var year = days / daysPerYear + 1
    // Leap days make the guess too late by at most 7 years in 9999.
    while daysBefore(year: year) > days { year -= 1 }
    var day = days - daysBefore(year: year)
    var month = 1
    while day >= Self.days(inMonth: month, year: year) {
      day -= Self.days(inMonth: month, year: year)
      month += 1
    }
    return (year, month, day + 1)
  }

  private static func modulo(_ value: Int, _ divisor: Int) -> Int {
    let remainder = value % divisor
    return remainder < 0 ? remainder + divisor : remainder
  }

  private static func append(_ number: Int, digitCount: Int, to text: inout [UInt8]) {
    let digits = String(number).utf8
    for _ in digits.count..<max(digits.count, digitCount) { text.append(UInt8(ascii: "0")) }
    text += digits
  }
}

extension HTTPDate {
  /// Reads any of the three forms of RFC 9110 section 5.6.7, or gives nil: a field with no valid date is ignored.
  ///
  /// A year of two digits is the latest with those digits that is at most 50 years after `now`. The name of the day
  /// must be one, but it is not compared with the date.
  package static func parse(_ text: String, now: HTTPDate) -> HTTPDate? {
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
