import ArgumentParser
import KVHTTP

/// `kvctl del`.
struct Delete: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "del", abstract: "Delete a value.")

  @OptionGroup var keyArgument: KeyArgument

  @Option(help: ArgumentHelp("Delete only if the key has the value with this entity tag.", valueName: "etag"))
  var ifMatch: EntityTag?

  @OptionGroup var nodeOptions: NodeOptions

  func run() throws {
    try ending { () throws(CommandError) in
      let key = try keyArgument.parse()
      let nodes = try nodeOptions.load()
      let entityTag = ifMatch
      try Runtime.run { () async throws(CommandError) in
        let subject = "DEL \(key)"
        let connection = try await NodeConnection.open(
          nodes.candidates(for: key), nodes.configuration.limits, subject: subject)
        var head = HTTPRequestHead(method: "DELETE", target: HTTPTarget(key: key.bytes))
        if let entityTag { head.fields.append("If-Match", entityTag.matchField) }
        let answer = try await connection.ask(head)
        switch answer.status {
        case 204: return
        case 404: throw .absent(subject)
        default: throw try await connection.failure(answer, method: "DELETE")
        }
      }
    }
  }
}
