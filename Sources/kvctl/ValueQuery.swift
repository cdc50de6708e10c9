import KVCore

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
