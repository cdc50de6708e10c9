import KVCore
import KVDialect
import KVHTTP
import KVLinux

/// Does what a `TreeSync` has planned, one job at a time.
struct TreeWorker: Sendable {
  let sync: TreeSync

  private var report: ManyReport { sync.report }
  private var root: TreeRoot { sync.root }
  private var nodes: Nodes { sync.nodes }

  func run(_ job: TreeSync.Job, _ connections: ConnectionCache) async throws(CommandError) {
    switch job {
    case .upload(let path, let key, let value): try await upload(path, key, value, connections)
    case .download(let path, let key, let value): try await download(path, key, value, connections)
    case .deleteValue(let key, let value): try await delete(key, value, connections)
    case .removeFile(let path): try remove(path)
    }
  }

  private func upload(
    _ path: TreePath, _ key: Key, _ value: ListedValue?, _ connections: ConnectionCache
  ) async throws(CommandError) {
    let name = root.name(of: path)
    if let value, try await isSame(path, value) { return report.add(.unchanged) }
    if sync.isDryRun { return tell("put \(key)", .stored) }
    try await sync.retries.run { () async throws(CommandError) in
      // Anew for each attempt, from its beginning.
      let file = try CommandError.naming(name) { () throws(SystemError) in try open(path) }
      let status = try CommandError.naming(name) { () throws(SystemError) in try file.status() }
      guard status.isRegular else { throw CommandError(.failure, "\(name): it is not a file any more") }
      try await connections.with(nodes.candidates(for: key), subject: "PUT \(key)") {
        (connection) async throws(CommandError) in
        var offset = 0
        let terms = Upload.Terms(contentType: sync.contentType)
        let upload = Upload(key: key, terms: terms, connection: connection, progress: .none)
        _ = try await upload.run(byteCount: status.byteCount) { bytes, bytesMax throws(CommandError) in
          var part = bytes._mutatingExtracting(first: min(bytes.byteCount, bytesMax))
          let count = try CommandError.naming(name) { () throws(SystemError) in try file.read(into: &part, at: offset) }
          offset += count
          report.moved(count)
          return count
        }
      }
    }
    report.add(.stored)
  }

  private func download(
    _ path: TreePath, _ key: Key, _ value: ListedValue, _ connections: ConnectionCache
  ) async throws(CommandError) {
    guard let finalName = path.names.last, let partialName = TreePath.partial(of: finalName) else { return }
    let name = root.name(of: path)
    let current = try status(path)
    if current?.isDirectory == true { throw CommandError(.failure, "GET \(key): \(name): Is a directory") }
    if current?.isRegular == true, try await isSame(path, value) { return report.add(.unchanged) }
    if sync.isDryRun { return tell("get \(key)", .fetched) }
    let verdict = try await sync.retries.run { () async throws(CommandError) -> Download.Verdict in
      let directory = try CommandError.naming(name) { () throws(SystemError) in
        try root.directory.descend(path.names.dropLast(), making: true)
      }
      var partial = try PartialFile.open(
        partialName, for: finalName, in: directory, path: "\(name) (incomplete)", finalPath: name)
      let verdict: Download.Verdict
      do throws(CommandError) {
        verdict = try await connections.with(nodes.candidates(for: key), subject: "GET \(key)") {
          (connection) async throws(CommandError) -> Download.Verdict in
          try await Download(key: key, connection: connection, progress: .none, moved: { report.moved($0) })
            .run(into: &partial)
        }
      } catch {
        if error.status == .checksumMismatch { partial.distrust() } else { partial.abandon() }
        throw error
      }
      try partial.complete()
      return verdict
    }
    if verdict == .unverified {
      report.warn("GET \(key): the node has no checksum of the value, so it is not verified")
    }
    report.add(.fetched)
  }

  private func delete(
    _ key: Key, _ value: ListedValue, _ connections: ConnectionCache
  ) async throws(CommandError) {
    if sync.isDryRun { return tell("del \(key)", .deleted) }
    let isGone = try await sync.retries.run { () async throws(CommandError) -> Bool in
      try await Deletion(key: key, entityTag: value.entityTag).run(nodes, connections)
    }
    if isGone { report.add(.deleted) }
  }

  private func remove(_ path: TreePath) throws(CommandError) {
    if sync.isDryRun { return tell("rm \(root.name(of: path))", .removed) }
    guard let name = path.names.last else { return }
    try CommandError.naming(root.name(of: path)) { () throws(SystemError) in
      try root.directory.descend(path.names.dropLast()).remove(name)
    }
    report.add(.removed)
  }

  private func tell(_ line: String, _ outcome: ManyReport.Outcome) {
    Process.writeOutput("\(line)\n")
    report.add(outcome)
  }

  private func open(_ path: TreePath) throws(SystemError) -> File {
    guard let name = path.names.last else { throw .absent(call: "openat") }
    return try root.directory.descend(path.names.dropLast()).file(name)
  }

  private func status(_ path: TreePath) throws(CommandError) -> File.Status? {
    guard let name = path.names.last else { return nil }
    do throws(SystemError) {
      return try root.directory.descend(path.names.dropLast()).status(of: name)
    } catch {
      if error.isAbsent { return nil }
      throw CommandError(.failure, "\(root.name(of: path)): \(error.reason)")
    }
  }

  /// Whether the file has the value's size and checksum.
  private func isSame(_ path: TreePath, _ value: ListedValue) async throws(CommandError) -> Bool {
    guard let tag = value.entityTag, let byteCount = value.byteCount else { return false }
    let name = root.name(of: path)
    let file = try CommandError.naming(name) { () throws(SystemError) in try open(path) }
    let status = try CommandError.naming(name) { () throws(SystemError) in try file.status() }
    guard status.isRegular, status.byteCount == byteCount else { return false }
    let checksum = Checksum()
    var offset = 0
    while true {
      let count = try CommandError.naming(name) { () throws(SystemError) in
        try ThreadBuffer.withBytes { bytes throws(SystemError) in
          let count = try file.read(into: &bytes, at: offset)
          checksum.update(bytes.bytes.extracting(first: count))
          return count
        }
      }
      if count == 0 { break }
      offset += count
      if IOExecutor.turnIsOver { await IOExecutor.pause() }
    }
    return offset == byteCount && tag.matches(checksum.value)
  }
}
