import KVHTTP

/// What a node tells of itself: the answer to `GET /?status`, one flat JSON object.
package struct NodeStatus: Equatable, Sendable {
  /// The most bytes that such an answer has.
  package static let bytesMax = 16 << 10

  package var node: String
  package var version: String
  /// Stands for the peer list that the node goes by.
  package var fingerprint: String
  package var peers: Int
  package var values: Int
  package var bytes: Int
  package var freeBytes: Int
  package var totalBytes: Int
  package var uptimeSeconds: Int
  package var connections: Int
  /// `ok`, or what is wrong.
  package var health: String
  /// How many parts of the store are still to be counted; until there is none, `values` and `bytes` are too few.
  package var uncountedParts = 0
  /// How many damaged values lie in quarantine.
  package var quarantined = 0
  /// How many values lie here that the peer list gives to other nodes.
  package var stranded = 0
  /// The version of the layout that the node goes by; 0 where there is none.
  package var layout = 0
  /// How a change of the layout gets on, while there is one.
  package var progress: String?
  /// How many keys have an owner that is known to hold less than the others.
  package var behind = 0
  /// How repair gets on, while it has something to do.
  package var repair: String?
  /// What an administrator has to know of although the node does its work.
  package var attention: String?

  /// A status to be told.
  package init(
    node: String, version: String, fingerprint: String, peers: Int, values: Int, bytes: Int, freeBytes: Int,
    totalBytes: Int, uptimeSeconds: Int, connections: Int, health: String
  ) {
    self.node = node
    self.version = version
    self.fingerprint = fingerprint
    self.peers = peers
    self.values = values
    self.bytes = bytes
    self.freeBytes = freeBytes
    self.totalBytes = totalBytes
    self.uptimeSeconds = uptimeSeconds
    self.connections = connections
    self.health = health
  }

  /// Reads a status that another node told. Members that are not known here are a newer node's, and left out.
  package init(parsing text: [UInt8]) throws(NodeStatusError) {
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
    // Absent where there is nothing to tell.
    uncountedParts = object.integer("counting") ?? 0
    quarantined = object.integer("quarantined") ?? 0
    stranded = object.integer("stranded") ?? 0
    layout = object.integer("layout") ?? 0
    progress = object.string("progress").map { PrintableText.escape(Array($0.utf8)) }
    behind = object.integer("behind") ?? 0
    repair = object.string("repair").map { PrintableText.escape(Array($0.utf8)) }
    attention = object.string("attention").map { PrintableText.escape(Array($0.utf8)) }
  }

  /// The status as it is told.
  package var json: JSONObject {
    var object = JSONObject()
    object.add("node", node)
    object.add("version", version)
    object.add("fingerprint", fingerprint)
    object.add("peers", peers)
    object.add("values", values)
    object.add("bytes", bytes)
    object.add("free", freeBytes)
    object.add("total", totalBytes)
    object.add("uptime", uptimeSeconds)
    object.add("connections", connections)
    object.add("health", health)
    if uncountedParts > 0 { object.add("counting", uncountedParts) }
    if quarantined > 0 { object.add("quarantined", quarantined) }
    if stranded > 0 { object.add("stranded", stranded) }
    if layout > 0 { object.add("layout", layout) }
    if let progress { object.add("progress", progress) }
    if behind > 0 { object.add("behind", behind) }
    if let repair { object.add("repair", repair) }
    if let attention { object.add("attention", attention) }
    return object
  }

  /// Whether the values are still being counted, as after a start.
  package var isCounting: Bool { uncountedParts > 0 }

  /// Whether the node finds nothing wrong with itself.
  package var isHealthy: Bool { health == "ok" }

  private static func string(_ name: String, of object: FlatJSONObject) throws(NodeStatusError) -> String {
    guard let text = object.string(name) else { throw NodeStatusError(reason: "no text under '\(name)'") }
    // It goes to a terminal, or into what this node says.
    return PrintableText.escape(Array(text.utf8))
  }

  private static func integer(_ name: String, of object: FlatJSONObject) throws(NodeStatusError) -> Int {
    guard let number = object.integer(name) else { throw NodeStatusError(reason: "no number under '\(name)'") }
    return number
  }
}

/// Why an answer is no status.
package struct NodeStatusError: Error, Equatable {
  /// What is missing or wrong.
  package let reason: String
}

/// What the programs of this source tree call themselves; packaging/debian/changelog has the package's version.
package enum Version {
  /// The version.
  package static let current = "0.1.0"
}
