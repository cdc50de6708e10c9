import KVCluster
import KVCore
import KVDialect
import KVLinux
import KVWire
import Logging

/// Runs an exchange, sees to it that the client learns how it failed, and counts it: for metrics and the access log.
struct Record: Sendable {
  let metrics: Metrics
  let current: CurrentCluster
  let logger: Logger

  /// Runs one exchange with a client to its end.
  func exchange(
    _ about: RequestAbout, of client: inout Client,
    _ exchange: (inout Client) async throws(ExchangeError) -> Traffic
  ) async {
    let started = Instant.now
    metrics.begin(isForeground: about.isForeground)
    var traffic = Traffic()
    var outcome = RequestRecord.Outcome.ok
    do throws(ExchangeError) {
      traffic = try await exchange(&client)
    } catch {
      outcome = await end(error, about, of: &client)
    }
    let record = RequestRecord(
      operation: about.operation, dialect: client.dialect ?? .classic, outcome: outcome, peer: about.peer,
      traffic: traffic, seconds: Instant.now.since(started).inSeconds, isForeground: about.isForeground)
    metrics.end(record)
    if current.value.configuration.logsAccess, !about.isMessage {
      log(.info, "access", about.fields.merging(record.fields) { $1 }, client)
    }
  }

  /// Counts a connection that was turned away because there were too many.
  func refusedConnection() { metrics.refuseConnection(.tooMany) }

  /// A connection has begun, and was encrypted or not.
  func began(_ stream: borrowing Stream) {
    if let session = stream.session { metrics.countHandshake(isResumed: session.isResumed) }
  }

  /// Somebody began to encrypt a connection, and it came to nothing.
  func failedHandshake(_ error: TLSError, of client: borrowing Client) {
    metrics.refuseConnection(.failedHandshake)
    logger.info("connection ended: \(error)", metadata: ["client": "\(client.address)"])
  }

  private func end(
    _ error: ExchangeError, _ about: RequestAbout, of client: inout Client
  ) async -> RequestRecord.Outcome {
    switch error {
    case .refused(let failure):
      metrics.countRefusal(failure.kind)
      log(failure.isOurs ? .warning : .info, "refused: \(Token.masked(failure.message))", about.fields, client)
      do throws(StreamError) { try await client.send(.failure(failure)) } catch { client.abandon() }
      return failure.isOurs ? .serverError : .clientError
    case .broken(let reason):
      log(.info, "connection reset: \(reason)", about.fields, client)
      client.abandon()
      return .reset
    }
  }

  private func log(
    _ level: Logger.Level, _ message: String, _ fields: Logger.Metadata, _ client: borrowing Client
  ) {
    var fields = fields
    fields["client"] = "\(client.address)"
    logger.log(level: level, "\(message)", metadata: fields)
  }
}

/// What a request is about, for whoever records it. Log lines carry the fields under these names; in the journal each is
/// `KVNODE_` and the name.
struct RequestAbout: Sendable {
  /// `GET`, `LIST` and so on; `NONE` for what is no request.
  let operation: String
  /// The node that the request goes to, where that is another one.
  let peer: String?
  private let request: Request?
  /// The token that was shown, where one was.
  private let token: String?

  init(_ arrival: Client.Arrival, _ route: Topology.Route, _ caller: Caller) {
    token = caller.name
    guard case .request(let request) = arrival else {
      (operation, peer, self.request) = ("NONE", nil, nil)
      return
    }
    operation = request.operationName
    peer = route.peer?.name
    self.request = request
  }

  /// Whether it is one of those that nodes send each other all the time.
  var isMessage: Bool { if case .message = request { true } else { false } }

  /// Whether a client waits for it, and not another node for itself.
  var isForeground: Bool {
    switch request {
    case .value(let request): request.upload == nil
    case .list: true
    case .node, .message, nil: false
    }
  }

  /// What log lines say of it. They are made only where there is a line.
  var fields: Logger.Metadata {
    guard let request else { return [:] }
    var fields: Logger.Metadata = ["op": "\(operation)"]
    if case .value(let request) = request { fields["key"] = "\(Token.masked(request.key.description))" }
    if let peer { fields["peer"] = "\(peer)" }
    if let token { fields["token"] = "\(token)" }
    if let mark = request.relayed { fields["relayed_by"] = "\(mark.node)" }
    return fields
  }
}

/// What is remembered of a request once it is over.
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

  /// The operation, or `LIST`.
  let operation: String
  let dialect: Dialect
  let outcome: Outcome
  /// Where it was relayed to, if it was.
  let peer: String?
  /// How many bytes of a value came in and went out.
  let traffic: Traffic
  let seconds: Double
  let isForeground: Bool

  /// How the request ended, for the access log.
  var fields: Logger.Metadata {
    [
      "outcome": "\(outcome.rawValue)", "dialect": "\(dialect)", "seconds": "\(seconds)",
      "received_bytes": "\(traffic.receivedBytes)", "sent_bytes": "\(traffic.sentBytes)",
    ]
  }
}

/// Bytes of values that a request moved.
struct Traffic: Sendable, Equatable {
  var receivedBytes = 0
  var sentBytes = 0
}
