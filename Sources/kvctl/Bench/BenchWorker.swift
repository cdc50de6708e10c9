import KVCore
import KVDialect
import KVHTTP
import KVLinux

/// One of the clients of a bench: a task that does one operation after the other on keys of its own.
struct BenchWorker: Sendable {
  let plan: BenchPlan
  let nodes: Nodes
  let control: BenchControl
  /// Bytes that no file system compresses; values are made of them.
  let noise: [UInt8]
  let keys: [Key]

  /// Stores a first value under each key, so that there is something to fetch.
  func prepare() async {
    let connections = ConnectionCache(nodes)
    await stoppingOnError { () async throws(CommandError) in
      for key in keys where !control.isStopped { try await put(key, connections) }
    }
  }

  /// Does operations until it is told to stop.
  func run() async -> BenchTally {
    let connections = ConnectionCache(nodes)
    var tally = BenchTally()
    await stoppingOnError { () async throws(CommandError) in
      var turn = 0
      while let number = control.takeOperation() {
        let key = keys[turn % keys.count]
        turn += 1
        let start = Instant.now
        if plan.mix.isPut(number) {
          try await put(key, connections)
          tally.puts.record(bytes: plan.valueBytes, microseconds: Self.microseconds(since: start))
        } else {
          let byteCount = try await get(key, connections)
          tally.gets.record(bytes: byteCount, microseconds: Self.microseconds(since: start))
        }
      }
    }
    return tally
  }

  /// Deletes the keys and returns how many it could not.
  func cleanUp() async -> (failed: Int, error: CommandError?) {
    let connections = ConnectionCache(nodes)
    var failed = 0
    var firstError: CommandError?
    for key in keys {
      do throws(CommandError) {
        try await connections.with(nodes.candidates(for: key), subject: "DEL \(key)") {
          (connection) async throws(CommandError) in
          let answer = try await connection.ask(HTTPRequestHead(method: "DELETE", target: HTTPTarget(key: key.bytes)))
          guard answer.status == 204 || answer.status == 404 else {
            throw try await connection.failure(answer, method: "DELETE")
          }
          _ = try await connection.receiveText(answer, bytesMax: PeerProtocol.errorTextBytesMax)
        }
      } catch {
        failed += 1
        firstError = firstError ?? error
      }
    }
    return (failed, firstError)
  }

  private func stoppingOnError(_ work: () async throws(CommandError) -> Void) async {
    do throws(CommandError) { try await work() } catch { control.stop(error) }
  }

  private func put(_ key: Key, _ connections: ConnectionCache) async throws(CommandError) {
    try await connections.with(nodes.candidates(for: key), subject: "PUT \(key)") {
      (connection) async throws(CommandError) in
      let upload = Upload(
        key: key, terms: Upload.Terms(), connection: connection, progress: .none)
      _ = try await upload.run(byteCount: plan.valueBytes) { bytes, bytesMax throws(CommandError) in
        let count = min(noise.withBytes { bytes.copy($0) }, bytesMax)
        control.moved(count)
        return count
      }
    }
  }

  private func get(_ key: Key, _ connections: ConnectionCache) async throws(CommandError) -> Int {
    try await connections.with(nodes.candidates(for: key), subject: "GET \(key)") {
      (connection) async throws(CommandError) -> Int in
      var byteCount = 0
      let download = Download(key: key, connection: connection, progress: .none)
      _ = try await download.run { bytes throws(CommandError) in
        byteCount += bytes.byteCount
        control.moved(bytes.byteCount)
      }
      return byteCount
    }
  }

  private static func microseconds(since start: Instant) -> Int {
    Int(Instant.now.since(start) / .microseconds(1))
  }
}
