import KVCluster
import KVCore
import KVDialect
import Logging

/// What is remembered of a request once it is over, for metrics and the access log.
struct RequestRecord: Sendable {
  /// How it ended, in the few words that metrics are divided by.
  enum Outcome: String, Sendable, CaseIterable {
    case ok
    /// The client asked for what is not there or not allowed.
    case clientError = "client_error"
    /// This node, or the owner, could not.
    case serverError = "server_error"
    /// The connection was reset midway.
    case reset
  }

  /// The operation, or `list`.
  let operation: String
  let dialect: Dialect
  let outcome: Outcome
  /// Where it was relayed to, if it was.
  let peer: String?
  /// How many bytes of a value came in and went out.
  let traffic: Traffic
  let seconds: Double
}

/// Bytes of values that a request moved.
struct Traffic: Sendable, Equatable {
  var receivedBytes = 0
  var sentBytes = 0
}

/// The names under which log lines carry what they are about; in the journal each is `KVNODE_` and the name.
enum LogFields {
  /// What a request is about, and the node it goes to where that is another one.
  static func about(_ request: ValueRequest, _ route: Topology.Route) -> Logger.Metadata {
    var fields: Logger.Metadata = ["op": "\(request.operation.rawValue)", "key": "\(request.key)"]
    if case .peer(let peer) = route { fields["peer"] = "\(peer.name)" }
    if let mark = request.relayed { fields["relayed_by"] = "\(mark.node)" }
    return fields
  }

  /// How a request ended.
  static func about(_ record: RequestRecord) -> Logger.Metadata {
    [
      "outcome": "\(record.outcome.rawValue)", "dialect": "\(record.dialect)", "seconds": "\(record.seconds)",
      "received_bytes": "\(record.traffic.receivedBytes)", "sent_bytes": "\(record.traffic.sentBytes)",
    ]
  }
}
