import KVCore

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
