import ArgumentParser
import KVCore
import KVDialect
import KVHTTP
import KVLinux
import KVStore

/// `kvctl where`.
struct Where: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show where the value of a key is stored: slot, owner and path.",
    discussion: """
      The answer follows from the configuration alone: no node is asked, and the value need not exist. The path is \
      below the DataDirectory= of this configuration. With --find, all nodes are asked for a stranded value of the key: \
      one on a node that is not the owner by its peer list, because it was stored under an earlier list.
      """)

  @Flag(help: "Ask all nodes for stranded values of the key, which no GET finds.")
  var find = false

  @OptionGroup var keyArgument: KeyArgument
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup(visibility: .private) var progress: ProgressOption
  @OptionGroup var json: JSONOption

  func run() throws {
    try ending { () throws(CommandError) in
      let key = try keyArgument.parse()
      let nodes = try nodeOptions.load()
      guard let owner = nodes.owner(of: key) ?? Where.onlyNode(nodes) else {
        throw CommandError(
          .failure, "WHERE \(key): the owner is unknown: it needs a configuration with [Peers] (--config)")
      }
      let path = ValuePath(key: key, slot: key.slot)
      let (finds, isJSON) = (find, json.isOn)
      let names = [nodes.configuration.dataDirectory, "values"] + path.directories + [path.fileName]
      let fullPath = names.joined(separator: "/")
      guard finds else { return try StandardOutput().write(Where.text(key, owner, fullPath, nil, isJSON: isJSON)) }
      try Runtime.run { () async throws(CommandError) in
        let limits = nodes.configuration.limits
        let places = await nodes.each { await Where.place(of: key, at: $0, limits) }
        try StandardOutput().write(Where.text(key, owner, fullPath, places, isJSON: isJSON))
        let unknown = places.filter { $0.unknownBecause != nil }
        guard unknown.isEmpty else {
          throw CommandError(.unreachable, "WHERE \(key): not all nodes answered")
        }
      }
    }
  }

  /// What a node says of a value of the key that the list gives to another node.
  private struct Place: Sendable {
    let endpoint: Endpoint
    var isThere = false
    /// Why that is not known.
    var unknownBecause: String?
  }

  private static func place(of key: Key, at endpoint: Endpoint, _ limits: Limits) async -> Place {
    var place = Place(endpoint: endpoint)
    var request = ListRequest(prefix: key.bytes)
    (request.isStranded, request.isOwnOnly, request.limit, request.format) = (true, true, 1, .lines)
    do throws(CommandError) {
      let connection = try await NodeConnection.open([endpoint], limits, subject: "WHERE")
      place.isThere = try await connection.page(request).entries.first?.name == key.bytes
    } catch {
      place.unknownBecause = error.message
    }
    return place
  }

  /// Without peers, the one node owns every key.
  private static func onlyNode(_ nodes: Nodes) -> Peer? {
    guard !nodes.isNamed, let only = nodes.all.first else { return nil }
    return Peer(name: nodes.configuration.nodeName, address: only.address)
  }

  private static func text(
    _ key: Key, _ owner: Peer, _ path: String, _ places: [Place]?, isJSON: Bool
  ) -> String {
    guard isJSON else {
      let found = (places ?? []).compactMap { place in
        if let reason = place.unknownBecause { return "unknown \(reason)\n" }
        return place.isThere ? "also   on \(place.endpoint), where no GET finds it\n" : nil
      }
      return """
        key    \(key)
        slot   \(key.slot.number)
        owner  \(owner)
        path   \(path)

        """ + found.joined()
    }
    var object = JSONObject()
    object.add("key", key.encodedText)
    object.add("slot", key.slot.number)
    object.add("owner", owner.name)
    object.add("address", "\(owner.address)")
    object.add("path", path)
    if let places {
      object.add("stranded", places.filter(\.isThere).map { $0.endpoint.name ?? "\($0.endpoint.address)" })
      object.add("unknown", places.compactMap(\.unknownBecause))
    }
    return "\(object)\n"
  }
}
