import KVCore
import Logging

/// The names under which log lines carry what they are about; in the journal each is `KVNODE_` and the name.
enum LogFields {
  /// What a request is about, and the node it goes to where that is another one.
  static func about(_ request: Request, _ route: Cluster.Route) -> Logger.Metadata {
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
