import KVCore
import Synchronization

/// Counts what this node does. Each request is counted once, when it is over.
final class Metrics: Sendable {
  private struct RequestLabels: Hashable {
    let dialect: String
    let operation: String
    let outcome: String
  }

  /// Why a connection was turned away.
  enum ConnectionRefusal: String, Sendable, CaseIterable {
    /// Past `MaxConnections=`.
    case tooMany = "too_many"
    /// From an address that `AllowedClients=` leaves out.
    case notAllowed = "not_allowed"
    /// Its TLS handshake failed.
    case failedHandshake = "failed_handshake"
  }

  private struct State {
    var requests: [RequestLabels: Int] = [:]
    var durations: [String: Histogram] = [:]
    var relays: [String: Int] = [:]
    var peerFailures: [String: [PeerFailure: Int]] = [:]
    var receivedBytes = 0
    var sentBytes = 0
    var inFlightCount = 0
    /// Those of them that somebody waits for who is no node.
    var foregroundCount = 0
    var movedValues = 0
    var movedBytes = 0
    /// By whether an earlier session was taken up again.
    var handshakes: [Bool: Int] = [:]
    var refusedConnections: [ConnectionRefusal: Int] = [:]
    var refusals: [Failure.Kind: Int] = [:]
    /// Whether another node has answered the last request, or look.
    var answeringPeers: [String: Bool] = [:]
    var lagSeconds: [String: Double] = [:]
  }

  private let state = Mutex(State())

  /// A request begins.
  func begin(isForeground: Bool) {
    state.withLock { state in
      state.inFlightCount += 1
      state.foregroundCount += isForeground ? 1 : 0
    }
  }

  /// How many requests are being served that came from clients, here or at another node.
  var foregroundCount: Int { state.withLock { $0.foregroundCount } }

  /// Bytes of a value came here that moves.
  func countMoved(byteCount: Int) { state.withLock { $0.movedBytes += byteCount } }

  /// A value has arrived.
  func countMovedValue() { state.withLock { $0.movedValues += 1 } }

  /// A request is over.
  func end(_ record: RequestRecord) {
    let labels = RequestLabels(
      dialect: record.dialect == .classic ? "classic" : "http", operation: record.operation,
      outcome: record.outcome.rawValue)
    state.withLock { state in
      state.inFlightCount -= 1
      state.foregroundCount -= record.isForeground ? 1 : 0
      state.requests[labels, default: 0] += 1
      state.durations[record.operation, default: Histogram()].record(seconds: record.seconds)
      state.receivedBytes += record.traffic.receivedBytes
      state.sentBytes += record.traffic.sentBytes
      guard let peer = record.peer else { return }
      state.relays[peer, default: 0] += 1
      if record.outcome == .ok || record.outcome == .clientError { state.answeringPeers[peer] = true }
    }
  }

  /// Another node failed a request.
  func countFailure(of peer: String, _ failure: PeerFailure) {
    state.withLock { state in
      state.peerFailures[peer, default: [:]][failure, default: 0] += 1
      state.answeringPeers[peer] = failure.isAnswer
    }
  }

  /// Another node was asked how it fares.
  func recordAnswer(of peer: String, _ answers: Bool) { state.withLock { $0.answeringPeers[peer] = answers } }

  /// Somebody encrypts a connection, and perhaps goes on with an earlier session.
  func countHandshake(isResumed: Bool) { state.withLock { $0.handshakes[isResumed, default: 0] += 1 } }

  /// A connection was turned away.
  func refuseConnection(_ reason: ConnectionRefusal) {
    state.withLock { $0.refusedConnections[reason, default: 0] += 1 }
  }

  /// A request was answered with an error.
  func countRefusal(_ kind: Failure.Kind) { state.withLock { $0.refusals[kind, default: 0] += 1 } }

  /// How long a task had to wait for a thread of an executor.
  func recordLag(seconds: Double, executor: String) { state.withLock { $0.lagSeconds[executor] = seconds } }

  /// Writes what was counted; of other nodes, only those that are still in the list.
  func write(to text: inout PrometheusText, peers: Set<String>) {
    let state = state.withLock { $0 }
    writeRequests(state, to: &text)
    text.single(
      "kvnode_received_bytes_total", .counter, "Bytes of values received in completed requests.",
      Double(state.receivedBytes))
    text.single(
      "kvnode_sent_bytes_total", .counter, "Bytes of values sent in completed requests.", Double(state.sentBytes))
    text.single(
      "kvnode_moved_values_total", .counter, "Values that have come here because they move.", Double(state.movedValues))
    text.single(
      "kvnode_moved_bytes_total", .counter, "Bytes that have come here because values move.", Double(state.movedBytes))
    text.single("kvnode_requests_in_flight", .gauge, "Requests being served.", Double(state.inFlightCount))
    writeHandshakes(state, to: &text)
    writeRefusals(state, to: &text)
    writeRelays(state, to: &text)
    text.begin(
      "kvnode_peer_up", .gauge, "1 if another node answered when it was last asked, some seconds ago; 0 if it did not.")
    for (peer, answers) in state.answeringPeers.sorted(by: { $0.key < $1.key }) where peers.contains(peer) {
      text.sample("kvnode_peer_up", [("peer", peer)], answers ? 1 : 0)
    }
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

  private func writeHandshakes(_ state: State, to text: inout PrometheusText) {
    text.begin("kvnode_tls_handshakes_total", .counter, "Connections encrypted, by whether a session was resumed.")
    for isResumed in [false, true] {
      text.sample(
        "kvnode_tls_handshakes_total", [("resumed", isResumed ? "yes" : "no")],
        Double(state.handshakes[isResumed] ?? 0))
    }
  }

  private func writeRefusals(_ state: State, to text: inout PrometheusText) {
    text.begin("kvnode_connections_refused_total", .counter, "Connections turned away, by reason.")
    for reason in ConnectionRefusal.allCases {
      text.sample(
        "kvnode_connections_refused_total", [("reason", reason.rawValue)],
        Double(state.refusedConnections[reason] ?? 0))
    }
    text.begin("kvnode_requests_refused_total", .counter, "Requests answered with an error, by its HTTP status.")
    for (kind, count) in state.refusals.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      text.sample("kvnode_requests_refused_total", [("status", "\(kind.rawValue)")], Double(count))
    }
  }

  private func writeRelays(_ state: State, to text: inout PrometheusText) {
    text.begin("kvnode_relayed_requests_total", .counter, "Requests relayed, by owner.")
    for (peer, count) in state.relays.sorted(by: { $0.key < $1.key }) {
      text.sample("kvnode_relayed_requests_total", [("peer", peer)], Double(count))
    }
    text.begin(
      "kvnode_relay_failures_total", .counter, "Requests to another node that failed, by node and kind of failure.")
    for (peer, failures) in state.peerFailures.sorted(by: { $0.key < $1.key }) {
      for (failure, count) in failures.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
        text.sample("kvnode_relay_failures_total", [("peer", peer), ("failure", failure.rawValue)], Double(count))
      }
    }
  }
}
