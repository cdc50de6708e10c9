import ArgumentParser
import KVCore
import KVLinux
import KVStore

/// `kvctl where`.
struct Where: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show where a key's value lies: slot, owner and path.",
    discussion: """
      The answer follows from the configuration alone: no node is asked, and the value need not exist. The path is \
      below the DataDirectory= of this configuration.
      """)

  @OptionGroup var keyArgument: KeyArgument
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup var json: JSONOption

  func run() throws {
    try ending { () throws(CommandError) in
      let key = try keyArgument.parse()
      let nodes = try nodeOptions.load()
      guard let owner = nodes.owner(of: key) ?? Where.onlyNode(nodes) else {
        throw CommandError(.failure, "WHERE \(key): the owner is unknown without the [Peers] of a configuration")
      }
      let path = ValuePath(key: key, slot: key.slot)
      let names = [nodes.configuration.dataDirectory, "values"] + path.directories + [path.fileName]
      try StandardOutput().write(Where.text(key, owner, names.joined(separator: "/"), isJSON: json.isOn))
    }
  }

  /// Without peers, the one node owns every key.
  private static func onlyNode(_ nodes: Nodes) -> Peer? {
    guard !nodes.isNamed, let only = nodes.all.first else { return nil }
    return Peer(name: nodes.configuration.nodeName, address: only.address)
  }

  private static func text(_ key: Key, _ owner: Peer, _ path: String, isJSON: Bool) -> String {
    guard isJSON else {
      return """
        key    \(key)
        slot   \(key.slot.number)
        owner  \(owner)
        path   \(path)

        """
    }
    var object = JSONObject()
    object.add("key", key.encodedText)
    object.add("slot", key.slot.number)
    object.add("owner", owner.name)
    object.add("address", "\(owner.address)")
    object.add("path", path)
    return "\(object)\n"
  }
}
