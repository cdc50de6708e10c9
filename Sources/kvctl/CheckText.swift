import KVCore
import KVServer

/// How what a check found is written.
enum CheckText {
  /// `damaged: values/12/hashme (key hashme): …`
  static func line(_ finding: ScrubFinding) -> String {
    let moved = finding.quarantinePath.map { "; moved to \($0)" } ?? ""
    let refused = finding.refusal.map { "; it cannot be moved away: \($0)" } ?? ""
    return "damaged: \(finding.path) (key \(finding.key)): \(finding.fault)\(moved)\(refused)\n"
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

    """
  }

  static func json(_ summary: ScrubSummary, _ findings: [ScrubFinding]) -> String {
    var object = JSONObject()
    object.add("values", summary.values)
    object.add("bytes", summary.bytes)
    object.add("damaged", summary.damaged)
    object.add("quarantined", summary.quarantined)
    object.add("lost", summary.lost)
    object.add("unverified", summary.unverified)
    object.add("strays", summary.strays)
    object.add("findings", findings.map(json))
    return "\(object)\n"
  }

  private static func json(_ finding: ScrubFinding) -> JSONObject {
    var object = JSONObject()
    object.add("key", finding.key.encodedText)
    object.add("path", finding.path)
    object.add("fault", finding.fault.description)
    if let quarantinePath = finding.quarantinePath { object.add("quarantine", quarantinePath) }
    if let refusal = finding.refusal { object.add("refusal", refusal.description) }
    return object
  }
}
