import KVCluster
import KVCore
import KVStore

/// What an administrator has to know of although the node does its work: it is no reason to send it no requests.
struct Notices: Sendable {
  let configuration: ConfigurationRecord
  let store: Store
  let stranded: StrandedValues
  /// What there is to know of the certificate.
  var certificate: @Sendable () -> String? = { nil }
  /// How a change of the layout gets on.
  var progress: @Sendable () -> LayoutProgress? = { nil }

  /// A line for each, none where all is well.
  var lines: [String] {
    var lines: [String] = []
    if let refusal = configuration.refusal {
      lines.append("configuration refused at \(refusal.time): \(refusal.reason)")
    }
    if let certificate = certificate() { lines.append(certificate) }
    if let progress = progress(), progress.isWaiting { lines.append(progress.text) }
    if store.quarantinedCount > 0 { lines.append(Self.damaged(store.quarantinedCount)) }
    if let stranded = stranded.last, stranded.total > 0 {
      lines.append(
        "\(Counted(stranded.total, "stranded value")) (\(stranded.description)), which no GET finds")
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
