import KVCore
import KVStore

/// What `systemctl status` shows in a line.
struct StatusLine: Sendable {
  let current: CurrentCluster
  let store: Store
  let health: Health
  let admission: Admission
  let notices: Notices

  /// The line now.
  func text(_ verdict: Health.Verdict) -> String {
    let impairment = verdict.reason.map { "Impaired: \($0). " } ?? ""
    let notice = notices.text.map { ". Attention: \($0)" } ?? ""
    let progress = notices.progress().flatMap { $0.isWaiting ? nil : ". Layout: \($0.text)" } ?? ""
    return "\(impairment)Serving \(place): \(facts)\(progress)\(notice)"
  }

  private var place: String {
    let configuration = current.value.configuration
    let count = configuration.peers.count
    if configuration.servesThisHostOnly { return "this host alone, as single node" }
    if count == 0 { return "as single node" }
    return "as \(configuration.nodeName) of \(Counted(count, "node"))"
  }

  private var facts: String {
    let total = store.usage.total
    let values = store.usage.isCounted ? "\(Counted(total.count.values, "value"))" : "counting values"
    let connections = Counted(admission.servedCount, "connection")
    return "\(values), \(connections), \(health.space.freeBytes >> 30) GiB free"
  }
}
