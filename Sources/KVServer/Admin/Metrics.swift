import Synchronization

/// Counts what this node does. Each request is counted once, when it is over.
final class Metrics: Sendable {
  private struct RequestLabels: Hashable {
    let dialect: String
    let operation: String
    let outcome: String
  }

  private struct State {
    var requests: [RequestLabels: Int] = [:]
    var durations: [String: Histogram] = [:]
    var relays: [String: Int] = [:]
    var peerFailures: [String: [PeerFailure: Int]] = [:]
    var receivedBytes = 0
    var sentBytes = 0
    var inFlightCount = 0
    var refusedConnectionCount = 0
    var lagSeconds: [String: Double] = [:]
  }

  private let state = Mutex(State())

  /// A request begins.
  func begin() { state.withLock { $0.inFlightCount += 1 } }

  /// A request is over.
  func end(_ record: RequestRecord) {
    let labels = RequestLabels(
      dialect: record.dialect == .classic ? "classic" : "http", operation: record.operation,
      outcome: record.outcome.rawValue)
    state.withLock { state in
      state.inFlightCount -= 1
      state.requests[labels, default: 0] += 1
      state.durations[record.operation, default: Histogram()].record(seconds: record.seconds)
      state.receivedBytes += record.traffic.receivedBytes
      state.sentBytes += record.traffic.sentBytes
      if let peer = record.peer { state.relays[peer, default: 0] += 1 }
    }
  }

  /// Another node failed a request.
  func countFailure(of peer: String, _ failure: PeerFailure) {
    state.withLock { $0.peerFailures[peer, default: [:]][failure, default: 0] += 1 }
  }

  /// A connection was turned away because there were too many.
  func refuseConnection() { state.withLock { $0.refusedConnectionCount += 1 } }

  /// How long a task had to wait for a thread of an executor.
  func recordLag(seconds: Double, executor: String) { state.withLock { $0.lagSeconds[executor] = seconds } }

  /// Writes what was counted.
  func write(to text: inout PrometheusText) {
    let state = state.withLock { $0 }
    writeRequests(state, to: &text)
    text.single(
      "kvnode_received_bytes_total", .counter, "Bytes of values received in completed requests.",
      Double(state.receivedBytes))
    text.single(
      "kvnode_sent_bytes_total", .counter, "Bytes of values sent in completed requests.", Double(state.sentBytes))
    text.single("kvnode_requests_in_flight", .gauge, "Requests being served.", Double(state.inFlightCount))
    text.single(
      "kvnode_connections_refused_total", .counter, "Connections turned away past MaxConnections.",
      Double(state.refusedConnectionCount))
    writeRelays(state, to: &text)
    text.begin("kvnode_executor_lag_seconds", .gauge, "How long the last self-check waited for a thread.")
    for (executor, seconds) in state.lagSeconds.sorted(by: { $0.key < $1.key }) {
      text.sample("kvnode_executor_lag_seconds", [("executor", executor)], seconds)
    }
  }

  private func writeRequests(_ state: State, to text: inout PrometheusText) {
    text.begin("kvnode_requests_total", .counter, "Requests by dialect, operation and outcome.")
    let order = state.requests.sorted {
      ($0.key.dialect, $0.key.operation, $0.key.outcome) < ($1.key.dialect, $1.key.operation, $1.key.outcome)
    }
    for (labels, count) in order {
      text.sample(
        "kvnode_requests_total",
        [("dialect", labels.dialect), ("operation", labels.operation), ("outcome", labels.outcome)], Double(count))
    }
    text.begin("kvnode_request_duration_seconds", .histogram, "From the request's head to the end of its answer.")
    for (operation, histogram) in state.durations.sorted(by: { $0.key < $1.key }) {
      histogram.write("kvnode_request_duration_seconds", [("operation", operation)], to: &text)
    }
  }

  private func writeRelays(_ state: State, to text: inout PrometheusText) {
    text.begin("kvnode_relayed_requests_total", .counter, "Requests relayed, by owner.")
    for (peer, count) in state.relays.sorted(by: { $0.key < $1.key }) {
      text.sample("kvnode_relayed_requests_total", [("peer", peer)], Double(count))
    }
    text.begin(
      "kvnode_relay_failures_total", .counter, "Requests to another node that it failed, by node and kind of failure.")
    for (peer, failures) in state.peerFailures.sorted(by: { $0.key < $1.key }) {
      for (failure, count) in failures.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        text.sample("kvnode_relay_failures_total", [("peer", peer), ("failure", failure.rawValue)], Double(count))
      }
    }
  }
}
