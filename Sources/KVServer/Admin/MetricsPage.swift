import KVCore
import KVLinux
import KVStore
import KVWire

/// Everything at `/metrics`: what was counted, and what is as it is right now.
struct MetricsPage: Sendable {
  let version: String
  let startedAt: Instant
  /// The same moment by the wall clock, since 1970. It stays as it was read, so that it differs only between processes.
  let startedAtSeconds = Double(Instant.wallNanoseconds) / 1e9
  let openFilesMax: Int
  let current: CurrentCluster
  let configuration: ConfigurationRecord
  let metrics: Metrics
  let admission: Admission
  let pipes: PipePool
  let store: Store
  let health: Health
  let lastCheck: LastCheck
  let repair: RepairRecord
  let stranded: StrandedValues
  /// How many log lines nobody took in time.
  let notices: Notices
  let droppedLogLines: @Sendable () -> Int
  let certificateEnd: @Sendable () -> Int?

  /// The page in Prometheus' text format.
  func text() -> String {
    var text = PrometheusText()
    text.begin("kvnode_build_info", .gauge, "The version that is running.")
    text.sample("kvnode_build_info", [("version", version)], 1)
    let cluster = current.value
    metrics.write(to: &text, peers: Set(cluster.configuration.peers.map(\.name)))
    writeConfiguration(cluster, to: &text)
    writeConnections(to: &text)
    writeStore(to: &text)
    writeLastCheck(to: &text)
    repair.write(to: &text)
    writeProcess(to: &text)
    return text.text
  }

  private func writeConfiguration(_ cluster: Cluster, to text: inout PrometheusText) {
    text.begin(
      "kvnode_peer_list_info", .gauge,
      "The fingerprint of the peer list; it should be the same on all nodes of a cluster.")
    text.sample("kvnode_peer_list_info", [("fingerprint", cluster.topology.fingerprint)], 1)
    writeLayout(cluster, to: &text)
    if let end = certificateEnd() {
      text.single(
        "kvnode_certificate_expiry_seconds", .gauge, "When the certificate ends, in seconds since 1970.", Double(end))
    }
    text.single(
      "kvnode_configuration_load_time_seconds", .gauge,
      "When the configuration in force was loaded, in seconds since 1970.",
      configuration.loadedAtSeconds)
    text.single(
      "kvnode_configuration_refused", .gauge, "1 if the newest configuration was refused and an older one is in force.",
      configuration.refusal == nil ? 0 : 1)
    text.single(
      "kvnode_configuration_refusals_total", .counter, "Configurations that were refused since the start.",
      Double(configuration.refusalCount))
  }

  private func writeLayout(_ cluster: Cluster, to text: inout PrometheusText) {
    let layout = cluster.topology.layout
    text.single(
      "kvnode_layout_version", .gauge, "The version of the layout in force; 0 without one.",
      Double(layout?.version ?? 0))
    if let layout, layout.next != nil {
      text.single(
        "kvnode_layout_moved_ratio", .gauge, "Which part of the groups of values has arrived, while values move.",
        Double(layout.movedGroupCount) / Double(layout.groups.count))
    }
    let progress = notices.progress()
    if let seconds = progress?.secondsLeft {
      text.single(
        "kvnode_layout_left_seconds", .gauge, "How long values will still be moving, as it has gone so far.",
        Double(seconds))
    }
    text.single(
      "kvnode_layout_waiting", .gauge,
      "1 if the layout cannot become what [Peers] says before somebody does something.",
      progress?.isWaiting == true ? 1 : 0)
  }

  private func writeConnections(to text: inout PrometheusText) {
    let counts = admission.counts
    text.single("kvnode_connections", .gauge, "Client connections being served.", Double(counts.clients))
    text.single(
      "kvnode_peer_connections", .gauge, "Connections of other nodes being served.", Double(counts.peers))
    text.single(
      "kvnode_copied_for_want_of_pipe_total", .counter, "Times that bytes were copied because no pipe was available.",
      Double(pipes.refusedCount))
    text.single(
      "kvnode_log_lines_dropped_total", .counter, "Log lines that were dropped because nobody read them in time.",
      Double(droppedLogLines()))
  }

  private func writeStore(to text: inout PrometheusText) {
    let usage = store.usage.total.count
    let space = health.space
    // While they are counted, a part would look like a loss.
    if store.usage.isCounted {
      text.single("kvnode_store_values", .gauge, "Values stored on this node.", Double(usage.values))
      text.single("kvnode_store_bytes", .gauge, "Bytes of the values stored on this node.", Double(usage.bytes))
    }
    text.single(
      "kvnode_store_free_bytes", .gauge, "Bytes free on the file system with the values.", Double(space.freeBytes))
    text.single(
      "kvnode_store_size_bytes", .gauge, "Size of the file system with the values.", Double(space.totalBytes))
    text.single(
      "kvnode_store_read_only", .gauge, "1 if a failed sync has made the store read-only.",
      store.readOnlyReason == nil ? 0 : 1)
    text.single(
      "kvnode_damaged_values_total", .counter, "Times that a stored value was found damaged.",
      Double(store.damagedCount))
    text.single(
      "kvnode_quarantined_files", .gauge, "Damaged values in quarantine/.",
      Double(store.quarantinedCount))
    if let stranded = stranded.last {
      text.begin(
        "kvnode_stranded_values", .gauge, "Stranded values: stored here, while another node answers for their keys.")
      for (owner, count) in stranded.countsByOwner.sorted(by: { $0.key < $1.key }) {
        text.sample("kvnode_stranded_values", [("owner", owner)], Double(count))
      }
    }
    text.single(
      "kvnode_healthy", .gauge, "1 if the last self-check found nothing wrong.",
      health.verdict == .healthy ? 1 : 0)
  }

  private func writeLastCheck(to text: inout PrometheusText) {
    guard let outcome = lastCheck.outcome else { return }
    text.single(
      "kvnode_last_check_time_seconds", .gauge,
      "When kvnode-scrub.service last checked all values, in seconds since 1970.",
      outcome.endedAtSeconds)
    text.single(
      "kvnode_last_check_exit_status", .gauge,
      "Exit status of the last check: 0 no damage, 3 damage, others a failure.",
      Double(outcome.status))
  }

  private func writeProcess(to text: inout PrometheusText) {
    let statistics = ProcessStatistics()
    text.single(
      "process_cpu_seconds_total", .counter, "User and system time in seconds.", statistics.processorSeconds)
    text.single(
      "process_resident_memory_bytes", .gauge, "Resident memory in bytes.", Double(statistics.residentBytes))
    text.single("process_open_fds", .gauge, "Open file descriptors.", Double(statistics.openDescriptorCount))
    text.single("process_max_fds", .gauge, "The most descriptors that may be open.", Double(openFilesMax))
    text.single(
      "process_start_time_seconds", .gauge, "When the process started, in seconds since 1970.", startedAtSeconds)
    text.single(
      "kvnode_uptime_seconds", .gauge, "Seconds since the start.", Instant.now.since(startedAt).inSeconds)
  }
}
