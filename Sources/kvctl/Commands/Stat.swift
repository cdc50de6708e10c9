import ArgumentParser
import KVCore
import KVHTTP
import KVLinux

/// `kvctl stat`.
struct Stat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show size, entity tag, time, type and owner of a value, without fetching it.")

  @OptionGroup var keyArgument: KeyArgument
  @OptionGroup var nodeOptions: NodeOptions
  @OptionGroup(visibility: .private) var progress: ProgressOption
  @OptionGroup var json: JSONOption

  func run() throws {
    try ending { () throws(CommandError) in
      let key = try keyArgument.parse()
      let nodes = try nodeOptions.load()
      let isJSON = json.isOn
      try Runtime.run { () async throws(CommandError) in
        let connection = try await NodeConnection.open(
          nodes.candidates(for: key), nodes.configuration.limits, subject: "STAT \(key)")
        let value = try await ValueQuery(key: key).run(over: connection)
        let owner = await KeyOwner.find(key, at: connection.endpoint, nodes)
        try StandardOutput().write(isJSON ? Stat.json(key, value, owner) : Stat.text(key, value, owner))
      }
    }
  }

  private static func text(_ key: Key, _ value: ValueDescription, _ owner: KeyOwner?) -> String {
    """
    key       \(key)
    bytes     \(value.byteCount.map(String.init) ?? "unknown")
    etag      \(value.entityTag?.description ?? "none, the value is unverified")
    modified  \(value.modified ?? "unknown")
    type      \(value.contentType ?? "unknown")
    slot      \(key.slot.number)
    owner     \(owner.map(\.description) ?? "unknown: the node goes by no layout, and there are no [Peers] in the configuration")

    """
  }

  private static func json(_ key: Key, _ value: ValueDescription, _ owner: KeyOwner?) -> String {
    var object = JSONObject()
    object.add("key", key.encodedText)
    if let byteCount = value.byteCount { object.add("bytes", byteCount) }
    if let entityTag = value.entityTag { object.add("etag", "\(entityTag)") }
    if let modified = value.modified { object.add("modified", modified) }
    if let contentType = value.contentType { object.add("type", contentType) }
    object.add("slot", key.slot.number)
    if let owner { object.add("owner", owner.name) }
    return "\(object)\n"
  }
}

/// Asks for what a node knows of a value, without its bytes.
struct ValueQuery {
  let key: Key

  private var subject: String { "STAT \(key)" }

  /// The description, or an error where there is no value. The connection can be used again.
  func run(over connection: NodeConnection) async throws(CommandError) -> ValueDescription {
    connection.subject = subject
    let answer = try await connection.ask(HTTPRequestHead(method: "HEAD", target: HTTPTarget(key: key.bytes)))
    switch answer.status {
    case 200: return ValueDescription(answer)
    case 404: throw .absent(subject)
    default: throw try await connection.failure(answer, method: "HEAD")
    }
  }
}
