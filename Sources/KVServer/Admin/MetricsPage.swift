import KVCore
import KVLinux

/// Everything at `/metrics`: what was counted, and what is as it is right now.
struct MetricsPage {
  let node: Node

  /// The page in Prometheus' text format.
  func text() -> String {
    var text = PrometheusText()
    text.begin("kvnode_build_info", .gauge, "The version that runs.")
    text.sample("kvnode_build_info", [("version", node.version)], 1)
    node.metrics.write(to: &text)
    text.single(
      "kvnode_connections", .gauge, "Client connections being served.", Double(node.admission.servedCount))
    text.single(
      "kvnode_copied_for_want_of_pipe_total", .counter, "Times that bytes were copied because no pipe was to be had.",
      Double(node.pipes.refusedCount))
    writeStore(to: &text)
    writeProcess(to: &text)
    return text.text
  }

  private func writeStore(to text: inout PrometheusText) {
    let usage = node.store.usage.total.count
    let space = node.health.space
    text.single("kvnode_store_values", .gauge, "Values stored on this node.", Double(usage.values))
    text.single("kvnode_store_bytes", .gauge, "Bytes of the values stored on this node.", Double(usage.bytes))
    text.single(
      "kvnode_store_free_bytes", .gauge, "Bytes free on the file system with the values.", Double(space.freeBytes))
    text.single(
      "kvnode_store_size_bytes", .gauge, "Size of the file system with the values.", Double(space.totalBytes))
    text.single(
      "kvnode_store_read_only", .gauge, "1 when a failed sync has made the store read-only.",
      node.store.readOnlyReason == nil ? 0 : 1)
    text.single(
      "kvnode_damaged_values_total", .counter, "Times that a stored value was found not to be what was stored.",
      Double(node.store.damagedCount))
    text.single(
      "kvnode_quarantined_files", .gauge, "Damaged values that were moved to quarantine/ and lie there.",
      Double(node.store.quarantinedCount))
    let isHealthy = node.health.verdict(maximumAge: Supervision.interval * 3) == .healthy
    text.single("kvnode_healthy", .gauge, "1 when the last self-check found nothing wrong.", isHealthy ? 1 : 0)
  }

  private func writeProcess(to text: inout PrometheusText) {
    let statistics = ProcessStatistics()
    text.single(
      "process_cpu_seconds_total", .counter, "User and system time in seconds.", statistics.processorSeconds)
    text.single(
      "process_resident_memory_bytes", .gauge, "Resident memory in bytes.", Double(statistics.residentBytes))
    text.single("process_open_fds", .gauge, "Open file descriptors.", Double(statistics.openDescriptorCount))
    text.single(
      "kvnode_uptime_seconds", .gauge, "Seconds since the start.", Instant.now.since(node.startedAt).inSeconds)
  }
}
