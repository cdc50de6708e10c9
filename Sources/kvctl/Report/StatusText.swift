import KVCore

/// How a report on the cluster is written.
enum StatusText {
  private static let header = [
    "NODE", "ADDRESS", "UP", "VERSION", "VALUES", "BYTES", "FREE", "UPTIME", "PEER LIST", "HEALTH",
  ]

  /// A table of all nodes, then the problems.
  static func table(_ report: ClusterReport) -> String {
    let rows = [header] + report.entries.map(row)
    let problems = report.problems.map { "problem: \($0)" }
    let progress = report.progress.map { "layout: \($0)" } + report.repairs.map { "copies: \($0)" }
    return TableText.text(rows)
      + ((progress.isEmpty ? [] : [""] + progress) + (problems.isEmpty ? [] : [""] + problems)).map {
        "\($0)\n"
      }.joined()
  }

  private static func row(_ entry: ClusterReport.Entry) -> [String] {
    let address = "\(entry.endpoint.address)"
    guard let status = entry.status else {
      return [entry.endpoint.name ?? "?", address, "no"] + [String](repeating: "-", count: header.count - 3)
    }
    return [
      entry.name, address, "yes", status.version, status.isCounting ? "counting" : "\(status.values)",
      status.isCounting ? "counting" : Quantity.bytes(status.bytes),
      "\(Quantity.bytes(status.freeBytes)) of \(Quantity.bytes(status.totalBytes))",
      Quantity.age(seconds: status.uptimeSeconds), status.fingerprint, status.isHealthy ? "ok" : "not ok",
    ]
  }

  /// One object: the nodes, as they told of themselves, and the problems.
  static func json(_ report: ClusterReport) -> String {
    var object = JSONObject()
    object.add("nodes", report.entries.map(json))
    if !report.progress.isEmpty { object.add("progress", report.progress) }
    object.add("problems", report.problems)
    return "\(object)\n"
  }

  private static func json(_ entry: ClusterReport.Entry) -> JSONObject {
    var object = JSONObject()
    object.add("node", entry.name)
    object.add("address", "\(entry.endpoint.address)")
    object.add("up", entry.status != nil)
    switch entry.answer {
    case .down(let reason): object.add("error", reason)
    case .up(let status):
      object.add("version", status.version)
      object.add("fingerprint", status.fingerprint)
      object.add("peers", status.peers)
      object.add("values", status.values)
      object.add("bytes", status.bytes)
      object.add("free", status.freeBytes)
      object.add("total", status.totalBytes)
      object.add("uptime", status.uptimeSeconds)
      object.add("connections", status.connections)
      object.add("health", status.health)
      if status.isCounting { object.add("counting", status.uncountedParts) }
      if status.quarantined > 0 { object.add("quarantined", status.quarantined) }
      if status.stranded > 0 { object.add("stranded", status.stranded) }
      if status.layout > 0 { object.add("layout", status.layout) }
      if let progress = status.progress { object.add("progress", progress) }
      if status.behind > 0 { object.add("behind", status.behind) }
      if let repair = status.repair { object.add("repair", repair) }
      if let attention = status.attention { object.add("attention", attention) }
    }
    return object
  }
}
