import KVCore
import KVHTTP
import KVStore

/// How what a check found is written.
enum CheckText {
  /// `damaged: values/12/hashme (key hashme): …`
  static func line(_ event: ScrubEvent) -> String {
    switch event {
    case .damaged(let finding): "damaged: \(finding.path) (key \(finding.key)): \(finding.fault)\(move(of: finding))\n"
    case .lost(let key, let path, let quarantinePath):
      "lost: \(path) (key \(key)): found damaged earlier, it is in \(quarantinePath)\n"
    case .unchecked(let path, let error): "unchecked: \(PrintableText.escape(Array(path.utf8))): \(error)\n"
    }
  }

  private static func move(of finding: ScrubFinding) -> String {
    switch (finding.quarantinePath, finding.moveError) {
    case (nil, nil): ""
    case (nil, let error?): "; it cannot be moved away: \(error)"
    case (let path?, nil): "; moved to \(path)"
    case (let path?, let error?): "; moved to \(path), but a power cut may undo that: \(error)"
    }
  }

  /// Why a check does not end well, or nil if it does.
  static func verdict(_ summary: ScrubSummary) -> (ExitStatus, String)? {
    var parts: [String] = []
    if summary.damaged > 0 { parts.append("\(summary.damaged) of \(Quantity.values(summary.values)) damaged") }
    if summary.lost > 0 { parts.append("\(Counted(summary.lost, "key")) lost to quarantine/ earlier") }
    let isDamaged = !parts.isEmpty
    if summary.unchecked > 0 {
      parts.append("\(Counted(summary.unchecked, "file or directory", "files or directories")) could not be checked")
    }
    return parts.isEmpty ? nil : (isDamaged ? .checksumMismatch : .failure, parts.joined(separator: "; "))
  }

  static func summary(_ summary: ScrubSummary) -> String {
    """
    values       \(summary.values)
    bytes        \(summary.bytes)
    damaged      \(summary.damaged)
    quarantined  \(summary.quarantined)
    lost         \(summary.lost)
    unverified   \(summary.unverified)
    strays       \(summary.strays)
    unchecked    \(summary.unchecked)

    """
  }

  /// What is told of values that belong to other nodes, where there are any.
  static func line(_ stranded: Stranded?) -> String {
    guard let stranded, stranded.total > 0 else { return "" }
    return "stranded     \(stranded.total) (that belong to others: \(stranded.description)), which no GET finds\n"
  }

  static func json(_ summary: ScrubSummary, _ events: [ScrubEvent], _ stranded: Stranded? = nil) -> String {
    var object = JSONObject()
    object.add("values", summary.values)
    object.add("bytes", summary.bytes)
    object.add("damaged", summary.damaged)
    object.add("quarantined", summary.quarantined)
    object.add("lost", summary.lost)
    object.add("unverified", summary.unverified)
    object.add("strays", summary.strays)
    object.add("unchecked", summary.unchecked)
    if let stranded { object.add("stranded", stranded.total) }
    object.add("findings", events.map(json))
    return "\(object)\n"
  }

  private static func json(_ event: ScrubEvent) -> JSONObject {
    var object = JSONObject()
    switch event {
    case .damaged(let finding):
      object.add("key", finding.key.encodedText)
      object.add("path", finding.path)
      object.add("fault", finding.fault.description)
      if let quarantinePath = finding.quarantinePath { object.add("quarantine", quarantinePath) }
      if let error = finding.moveError { object.add("move_error", error.description) }
    case .lost(let key, let path, let quarantinePath):
      object.add("key", key.encodedText)
      object.add("path", path)
      object.add("fault", "found damaged earlier")
      object.add("quarantine", quarantinePath)
    case .unchecked(let path, let error):
      object.add("path", path)
      object.add("error", error.description)
    }
    return object
  }
}
