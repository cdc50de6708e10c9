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
