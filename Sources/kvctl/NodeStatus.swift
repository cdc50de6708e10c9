import KVCore

/// What a node tells of itself: the answer to `GET /?status`.
struct NodeStatus: Equatable, Sendable {
  let node: String
  let version: String
  /// Stands for the peer list that the node goes by.
  let fingerprint: String
  let peers: Int
  let values: Int
  let bytes: Int
  let freeBytes: Int
  let totalBytes: Int
  let uptimeSeconds: Int
  let connections: Int
  /// `ok`, or what is wrong.
  let health: String

  /// Reads the answer. Members that are not known here are a newer node's, and ignored.
  init(parsing text: [UInt8]) throws(NodeStatusError) {
    let object: FlatJSONObject
    do throws(FlatJSONError) { object = try FlatJSONObject(parsing: text) } catch {
      throw NodeStatusError(reason: "\(error)")
    }
    node = try Self.string("node", of: object)
    version = try Self.string("version", of: object)
    fingerprint = try Self.string("fingerprint", of: object)
    peers = try Self.integer("peers", of: object)
    values = try Self.integer("values", of: object)
    bytes = try Self.integer("bytes", of: object)
    freeBytes = try Self.integer("free", of: object)
    totalBytes = try Self.integer("total", of: object)
    uptimeSeconds = try Self.integer("uptime", of: object)
    connections = try Self.integer("connections", of: object)
    health = try Self.string("health", of: object)
  }

  var isHealthy: Bool { health == "ok" }

  private static func string(_ name: String, of object: FlatJSONObject) throws(NodeStatusError) -> String {
    guard let text = object.string(name) else { throw NodeStatusError(reason: "no text under '\(name)'") }
    // It goes to a terminal.
    return PrintableText.escape(text.utf8)
  }

  private static func integer(_ name: String, of object: FlatJSONObject) throws(NodeStatusError) -> Int {
    guard let number = object.integer(name) else { throw NodeStatusError(reason: "no number under '\(name)'") }
    return number
  }
}

/// Why an answer is no status.
struct NodeStatusError: Error, Equatable {
  let reason: String
}
