import KVCore
import KVHTTP
import KVLinux

/// Deletes many values: those that are named, or all below a prefix.
struct DeleteMany: Sendable {
  enum Source: Sendable {
    case keys([Key])
    case prefix([UInt8])
    /// A file with keys that end in that byte each, or standard input (`-`).
    case file(String, end: UInt8, isEncoded: Bool)
  }

  struct Job: Sendable {
    let key: Key
    /// The value that was listed: another one that came since is left alone.
    let entityTag: EntityTag?
  }

  private static let readBytes = 64 * 1024
  /// Every byte of a key as `%XX`.
  private static let lineBytesMax = 3 * Key.bytesMax

  let source: Source
  let nodes: Nodes
  let retries: Retries
  let report: ManyReport
  let isDryRun: Bool

  func plan(_ queue: JobQueue<Job>) async throws(CommandError) {
    switch source {
    case .keys(let keys):
      report.isPlanned(keys.count)
      for key in keys { await queue.add(Job(key: key, entityTag: nil)) }
    case .prefix(let prefix):
      let listing = KeyListing(ListRequest(prefix: prefix), nodes, retries: retries)
      while let page = try await listing.next() {
        for value in page.values { await queue.add(Job(key: try Key(listed: value.key), entityTag: value.entityTag)) }
      }
    case .file(let path, let end, let isEncoded): try await plan(queue, path, end: end, isEncoded: isEncoded)
    }
  }

  private func plan(
    _ queue: JobQueue<Job>, _ path: String, end: UInt8, isEncoded: Bool
  ) async throws(CommandError) {
    let name = path == "-" ? "standard input" : path
    let file = try CommandError.naming(name) { () throws(SystemError) in
      path == "-" ? try File.standardInput() : try File(path: path, waiting: true)
    }
    var line: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: Self.readBytes)
    while true {
      let count = try CommandError.naming(name) { () throws(SystemError) in
        try buffer.withMutableBytes { bytes throws(SystemError) in try file.readNext(into: &bytes) }
      }
      for byte in buffer[..<count] {
        if byte == end {
          try await add(line, queue, isEncoded: isEncoded, name)
          line = []
        } else {
          guard line.count < Self.lineBytesMax else {
            throw CommandError(.usage, "\(name): a line is too long for a key")
          }
          line.append(byte)
        }
      }
      if count == 0 { break }
    }
    // A list that breaks off may end amid a key, which is another key then.
    if !line.isEmpty {
      throw CommandError(.usage, "\(name): the last key, \(PrintableText.escape(line)), has no end: it is not deleted")
    }
  }

  private func add(
    _ line: [UInt8], _ queue: JobQueue<Job>, isEncoded: Bool, _ name: String
  ) async throws(CommandError) {
    if line.isEmpty { return }
    do {
      let key = try Key(isEncoded ? try PercentCoding.decode(line.span) : line)
      await queue.add(Job(key: key, entityTag: nil))
    } catch {
      report.fail(CommandError(.usage, "\(name): \(PrintableText.escape(line)): \(error)"))
    }
  }

  func run(_ job: Job, _ connections: ConnectionCache) async throws(CommandError) {
    if isDryRun {
      Process.writeOutput("del \(job.key)\n")
      return report.add(.deleted)
    }
    let isGone = try await retries.run { () async throws(CommandError) -> Bool in
      try await Deletion(key: job.key, entityTag: job.entityTag).run(nodes, connections)
    }
    report.add(isGone ? .deleted : .absent)
  }
}
