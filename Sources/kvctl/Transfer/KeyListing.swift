import KVCore
import KVDialect
import KVHTTP

/// Goes through the values of the cluster whose keys have a prefix, page by page. It belongs to one task.
final class KeyListing {
  /// The nodes that did not answer.
  private(set) var missing: Set<String> = []
  private var query: ListQuery
  private let nodes: Nodes
  private let connections: ConnectionCache
  private let retries: Retries
  private var valuesLeft: Int
  private var lastKey: [UInt8]?
  private var isOver = false

  init(_ query: ListQuery, _ nodes: Nodes, retries: Retries = .none, valuesMax: Int = .max) {
    self.query = query
    self.nodes = nodes
    self.retries = retries
    connections = ConnectionCache(nodes)
    valuesLeft = valuesMax
  }

  /// The next page, or nil after the last.
  func next() async throws(CommandError) -> ListPage? {
    guard !isOver, valuesLeft > 0 else { return nil }
    query.limit = min(valuesLeft, ListQuery.pageValuesMax)
    var page = try await ask(query)
    if page.isBare, query.place == nil, !query.from.isEmpty {
      // Such a node knows no other way to name the first key.
      query.place = .key(query.from)
      page = try await ask(query)
    }
    try check(page)
    valuesLeft -= page.values.count
    missing.formUnion(page.missing)
    query.place = page.next
    isOver = page.next == nil
    return page
  }

  private func ask(_ query: ListQuery) async throws(CommandError) -> ListPage {
    try await retries.run { () async throws(CommandError) -> ListPage in
      try await connections.with(nodes.candidates, subject: "LIST") {
        (connection) async throws(CommandError) -> ListPage in
        let answer = try await connection.ask(query.head)
        guard answer.status == 200 else { throw try await connection.failure(answer, method: "GET") }
        let text = try await connection.receiveText(answer, bytesMax: ListPage.bytesMax)
        do throws(JSONReadingError) {
          return try ListPage(parsing: text)
        } catch {
          throw CommandError(.failure, "LIST: \(connection.endpoint): \(error)")
        }
      }
    }
  }

  /// Whoever compares a listing with something relies on its order; and one that goes back would never end.
  private func check(_ page: ListPage) throws(CommandError) {
    for value in page.values {
      if let lastKey, !lastKey.lexicographicallyPrecedes(value.key) {
        throw CommandError(.failure, "LIST: the keys are not in order: \(PrintableText.escape(value.key))")
      }
      lastKey = value.key
    }
    if let next = page.next, next == query.place {
      throw CommandError(.failure, "LIST: the listing does not go on")
    }
  }

  /// The page with sizes, tags and times, which some nodes tell only one by one; without values deleted meanwhile.
  func described(_ page: ListPage) async throws(CommandError) -> ListPage {
    guard page.isBare else { return page }
    var described = page
    described.values = []
    for value in page.values {
      if let value = try await description(of: value) { described.values.append(value) }
    }
    return described
  }

  private func description(of value: ListedValue) async throws(CommandError) -> ListedValue? {
    let key = try Key(listed: value.key)
    do throws(CommandError) {
      return try await retries.run { () async throws(CommandError) -> ListedValue in
        try await connections.with(nodes.candidates(for: key), subject: "STAT \(key)") {
          (connection) async throws(CommandError) -> ListedValue in
          ListedValue(key: value.key, try await ValueQuery(key: key).run(over: connection))
        }
      }
    } catch {
      switch error.status {
      case .noSuchKey: return nil
      // What a node cannot describe is listed all the same.
      case .failure: return value
      default: throw error
      }
    }
  }
}

extension ListedValue {
  /// What an answer about the value tells of it.
  init(key: [UInt8], _ description: ValueDescription) {
    self.init(
      key: key, byteCount: description.byteCount, entityTag: description.entityTag, time: description.modified)
  }
}

extension Key {
  /// A key that a listing has.
  init(listed bytes: [UInt8]) throws(CommandError) {
    do throws(KeyError) { self = try Key(bytes) } catch { throw CommandError(.failure, "LIST: \(error)") }
  }
}
