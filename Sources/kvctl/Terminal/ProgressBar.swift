import KVCore
import KVLinux

/// Shows on standard error how far a transfer is, where that is a terminal. It belongs to one task.
final class ProgressBar {
  private static let period = Duration.milliseconds(100)
  /// Carriage return, then "erase to the end of the line" (ECMA-48 EL).
  private static let lineStart = "\r\u{1B}[K"

  /// How many bytes there will be, where that is known.
  var totalBytes: Int?
  private let isShown: Bool
  /// What moves.
  var label: String
  /// How many there are.
  private(set) var doneBytes = 0
  private var start = Instant.now
  private var shownAt: Instant?
  private var meter = RateMeter()

  /// No bar at all.
  static var none: ProgressBar { ProgressBar("", isWanted: false) }

  /// A bar that is not shown until something has moved for a moment.
  init(_ label: String, isWanted: Bool) {
    self.label = label
    isShown = isWanted && Terminal.isStandardError
  }

  /// Begins another piece of work, part of which may be done already.
  func begin(_ label: String, totalBytes: Int? = nil, doneBytes: Int = 0) {
    self.label = label
    self.totalBytes = totalBytes
    self.doneBytes = doneBytes
    start = .now
    meter = RateMeter()
    meter.record(bytes: doneBytes, atSeconds: 0)
  }

  /// Counts bytes, and shows the line if the last time is long enough ago.
  func moved(_ byteCount: Int) {
    doneBytes += byteCount
    guard isShown else { return }
    let now = Instant.now
    guard now.since(shownAt ?? start) >= Self.period else { return }
    shownAt = now
    meter.record(bytes: doneBytes, atSeconds: now.since(start).inSeconds)
    let line = ProgressLine(
      label: label, doneBytes: doneBytes, totalBytes: totalBytes, bytesPerSecond: meter.bytesPerSecond)
    Process.writeError(Self.lineStart + line.text(columns: Terminal.columns))
  }

  /// Takes the line away.
  func end() {
    if isShown, shownAt != nil { Process.writeError(Self.lineStart) }
    shownAt = nil
  }
}

/// How fast bytes move, by what moved in the last seconds. Times are seconds since some start.
struct RateMeter {
  private static let windowSeconds = 5.0
  private static let samplesMax = 64

  private var samples: [(seconds: Double, bytes: Int)] = []

  /// Takes note of how many bytes have moved so far.
  mutating func record(bytes: Int, atSeconds seconds: Double) {
    samples.append((seconds, bytes))
    let isOld = { (sample: (seconds: Double, bytes: Int)) in seconds - sample.seconds > Self.windowSeconds }
    // One sample older than the window stays, or there would be nothing to compare with after a pause.
    while samples.count > 2, isOld(samples[1]) || samples.count > Self.samplesMax { samples.removeFirst() }
  }

  /// Bytes a second, or nil while there is nothing to go by.
  var bytesPerSecond: Double? {
    guard let first = samples.first, let last = samples.last, last.seconds > first.seconds else { return nil }
    return Double(last.bytes - first.bytes) / (last.seconds - first.seconds)
  }
}

/// A progress bar as one line of text: what, how far, how fast and how much longer.
struct ProgressLine {
  private static let barCharactersMin = 10
  private static let barCharactersMax = 40

  let label: String
  let doneBytes: Int
  /// nil where the end is not known.
  let totalBytes: Int?
  let bytesPerSecond: Double?

  /// The line for a terminal of so many columns; it never fills the last one, which would make some wrap.
  func text(columns: Int) -> String {
    let room = max(columns - 1, 1)
    let figures = figures
    guard let share else { return Self.cut("\(label)  \(figures)", room) }
    // The label gives way first, then the bar.
    let labelRoom = room - figures.count - Self.barCharactersMin - 6
    let label = labelRoom >= 8 ? Self.cut(label, labelRoom) + "  " : ""
    let barRoom = room - label.count - figures.count - 4
    guard barRoom >= Self.barCharactersMin else { return Self.cut(label + figures, room) }
    let width = min(barRoom, Self.barCharactersMax)
    let filled = Int((share * Double(width)).rounded(.down))
    let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
    return "\(label)[\(bar)]  \(figures)"
  }

  private var share: Double? {
    guard let totalBytes else { return nil }
    return totalBytes > 0 ? min(Double(doneBytes) / Double(totalBytes), 1) : 1
  }

  private var figures: String {
    var parts: [String] = []
    if let share, let totalBytes {
      parts.append("\(Int((share * 100).rounded(.down))) %")
      parts.append("\(Quantity.bytes(doneBytes)) of \(Quantity.bytes(totalBytes))")
    } else {
      parts.append(Quantity.bytes(doneBytes))
    }
    if let bytesPerSecond { parts.append(Quantity.rate(bytesPerSecond)) }
    if let totalBytes, let bytesPerSecond, bytesPerSecond > 0, doneBytes < totalBytes {
      let seconds = Double(totalBytes - doneBytes) / bytesPerSecond
      if seconds < 360_000 { parts.append("\(Quantity.clock(seconds: Int(seconds.rounded(.up)))) left") }
    }
    return parts.joined(separator: "  ")
  }

  private static func cut(_ text: String, _ room: Int) -> String {
    text.count <= room ? text : room > 1 ? text.prefix(room - 1) + "…" : String(text.prefix(room))
  }
}
