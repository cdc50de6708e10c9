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
      The value need not exist. The nodes are asked for the layout that they go by; where none of them answers, or they \
      have none yet, the owner is the one by the peer list. Where there are copies, the hosts that have the others follow, in \
      the order in which they are asked. The path is below the DataDirectory= of this configuration. \
      With --find, all nodes are asked for a stranded value of the key: one on a node that does not answer for it.
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
      let path = ValuePath(key: key, slot: key.slot)
      let names = [nodes.configuration.dataDirectory, "values"] + path.directories + [path.fileName]
      let fullPath = names.joined(separator: "/")
      let (finds, isJSON) = (find, json.isOn)
      try Runtime.run { () async throws(CommandError) in
        guard let owner = await KeyOwner.find(key, nodes) else {
          throw CommandError(
            .failure, "WHERE \(key): the owner is unknown: it needs a configuration with [Peers] (--config)")
        }
        let limits = nodes.configuration.limits
        let places = finds ? await nodes.each { await Where.place(of: key, at: $0, limits) } : nil
        try StandardOutput().write(Where.text(key, owner, fullPath, places, isJSON: isJSON))
        guard (places ?? []).allSatisfy({ $0.unknownBecause == nil }) else {
          throw CommandError(.unreachable, "WHERE \(key): not all nodes answered")
        }
      }
    }
  }

  /// What a node says of a value of the key that it does not answer for.
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

  private static func text(
    _ key: Key, _ owner: KeyOwner, _ path: String, _ places: [Place]?, isJSON: Bool
  ) -> String {
    guard isJSON else {
      let found = (places ?? []).compactMap { place in
        if let reason = place.unknownBecause { return "unknown \(reason)\n" }
        return place.isThere ? "also   on \(place.endpoint), where no GET finds it\n" : nil
      }
      return """
        key    \(key)
        slot   \(key.slot.number)
        owner  \(owner.description)

        """ + owner.others.map { "copy   \($0.description)\n" }.joined() + "path   \(path)\n" + found.joined()
    }
    var object = JSONObject()
    object.add("key", key.encodedText)
    object.add("slot", key.slot.number)
    object.add("owner", owner.name)
    if let address = owner.address { object.add("address", address) }
    if !owner.others.isEmpty { object.add("owners", [owner.name] + owner.others.map(\.name)) }
    if let version = owner.version { object.add("layout", Int(version)) }
    object.add("path", path)
    if let places {
      object.add("stranded", places.filter(\.isThere).map { $0.endpoint.name ?? "\($0.endpoint.address)" })
      object.add("unknown", places.compactMap(\.unknownBecause))
    }
    return "\(object)\n"
  }
}
