import KVStore

/// What an administrator has to know of although the node does its work: it is no reason to send it no requests.
struct Notices: Sendable {
  let configuration: ConfigurationRecord
  let store: Store
  let stranded: StrandedValues

  /// A line for each, none where all is well.
  var lines: [String] {
    var lines: [String] = []
    if let refusal = configuration.refusal {
      lines.append("configuration refused at \(refusal.time): \(refusal.reason)")
    }
    if store.quarantinedCount > 0 { lines.append(Self.damaged(store.quarantinedCount)) }
    if let stranded = stranded.last, stranded.total > 0 {
      let values = stranded.total == 1 ? "1 stored value belongs" : "\(stranded.total) stored values belong"
      lines.append("\(values) to other nodes by [Peers] (\(stranded.description)), and no request finds them")
    }
    return lines
  }

  /// That so many values have been moved away.
  static func damaged(_ count: Int) -> String {
    count == 1 ? "1 damaged value lies in quarantine/" : "\(count) damaged values lie in quarantine/"
  }

  /// All in one line, or nil where all is well.
  var text: String? {
    let lines = lines
    return lines.isEmpty ? nil : lines.joined(separator: "; ")
  }
}
