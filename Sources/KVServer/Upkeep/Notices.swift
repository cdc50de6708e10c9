import KVStore

/// What an administrator has to know of although the node does its work: it is no reason to send it no requests.
struct Notices: Sendable {
  let configuration: ConfigurationRecord
  let store: Store

  /// A line for each, none where all is well.
  var lines: [String] {
    var lines: [String] = []
    if let refusal = configuration.refusal {
      lines.append("configuration refused at \(refusal.time): \(refusal.reason)")
    }
    let damaged = store.quarantinedCount
    if damaged > 0 {
      lines.append(
        damaged == 1 ? "1 damaged value lies in quarantine/" : "\(damaged) damaged values lie in quarantine/")
    }
    return lines
  }

  /// All in one line, or nil where all is well.
  var text: String? {
    let lines = lines
    return lines.isEmpty ? nil : lines.joined(separator: "; ")
  }
}
