import KVCore
import KVDialect
import KVHTTP

/// A value as a listing tells of it. All but the key may be unknown.
struct ListedValue: Equatable, Sendable {
  let key: [UInt8]
  var byteCount: Int?
  var entityTag: EntityTag?
  /// When it was stored, as `2026-11-28T20:22:58Z`.
  var time: String?
}

extension ListedValue {
  init(_ value: KVCore.ListedValue) {
    self.init(
      key: value.key, byteCount: value.byteCount,
      entityTag: value.checksum.flatMap { EntityTag(argument: $0.entityTag) }, time: value.modifiedAt.timestamp)
  }
}

/// Goes through the values of the cluster whose keys have a prefix, page by page. It belongs to one task.
final class KeyListing {
  /// What came on a page.
  struct Part: Sendable {
    /// The values in byte order of their keys.
    var values: [ListedValue] = []
    /// What several keys begin with that are not listed one by one.
    var prefixes: [[UInt8]] = []
  }

  /// How many values a page has at most.
  static let pageValuesMax = 10_000

  /// The nodes that did not answer.
  private(set) var missing: Set<String> = []
  private var request: ListRequest
  private let nodes: Nodes
  private let connections: ConnectionCache
  private let retries: Retries
  private var valuesLeft: Int
  private var lastKey: [UInt8]?
  private var isOver = false

  init(_ request: ListRequest, _ nodes: Nodes, retries: Retries = .none, valuesMax: Int = .max) {
    self.request = request
    self.request.format = .lines
    self.nodes = nodes
    self.retries = retries
    connections = ConnectionCache(nodes)
    valuesLeft = valuesMax
  }

  /// The next part, or nil after the last.
  func next() async throws(CommandError) -> Part? {
    guard !isOver, valuesLeft > 0 else { return nil }
    request.limit = min(valuesLeft, Self.pageValuesMax)
    let page = try await ask(request)
    var part = Part()
    for entry in page.entries {
      switch entry {
      case .value(let value): part.values.append(ListedValue(value))
      case .group(let prefix): part.prefixes.append(prefix)
      }
    }
    try check(part, page.next)
    valuesLeft -= part.values.count
    missing.formUnion(page.missing)
    if let next = page.next { request.from = next }
    isOver = page.next == nil
    return part
  }

  private func ask(_ request: ListRequest) async throws(CommandError) -> ListPage {
    try await retries.run { () async throws(CommandError) -> ListPage in
      try await connections.with(nodes.candidates, subject: "LIST") {
        (connection) async throws(CommandError) -> ListPage in
        try await connection.page(request)
      }
    }
  }

  /// Whoever compares a listing with something relies on its order; and one that goes back would never end.
  private func check(_ part: Part, _ next: [UInt8]?) throws(CommandError) {
    for value in part.values {
      if let lastKey, !lastKey.lexicographicallyPrecedes(value.key) {
        throw CommandError(.failure, "LIST: the keys are not in order: \(PrintableText.escape(value.key))")
      }
      lastKey = value.key
    }
    if let next, !request.from.lexicographicallyPrecedes(next) {
      throw CommandError(.failure, "LIST: the listing makes no progress: a page repeats the one before")
    }
  }
}

extension NodeConnection {
  /// A page of a listing. The request asks for lines.
  func page(_ request: ListRequest) async throws(CommandError) -> ListPage {
    let text = try await text(request.head(), bytesMax: ListPage.writtenBytesMax)
    do throws(HTTPSyntaxError) {
      return try ListPage(parsing: text)
    } catch {
      throw CommandError(.failure, "\(subject): \(endpoint): \(error)")
    }
  }
}

extension Key {
  /// A key that a listing has.
  init(listed bytes: [UInt8]) throws(CommandError) {
    do throws(KeyError) { self = try Key(bytes) } catch { throw CommandError(.failure, "LIST: \(error)") }
  }
}
