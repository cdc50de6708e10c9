import KVCluster
import KVCore
import KVHTTP
import KVLinux

/// A listing of the cluster where values have several copies: the owners' pages are merged, and where they differ about a
/// key, its register says what is decided.
///
/// A node that does not answer does no harm as long as a majority of each key's owners does.
struct CopiedListing: Sendable {
  /// How long the others are waited for once enough have answered.
  private static let patience = Duration.seconds(1)
  /// How many keys are asked about at once.
  private static let questionsMax = 16
  private static let findingsMax = 1024
  /// After so many questions a page ends: whoever asks for it should not wait for long.
  private static let pageQuestionsMax = 1024

  let listing: Listing
  let cluster: Cluster
  let layout: Layout

  /// The page that is asked for.
  func page(_ request: ListRequest) async throws(ExchangeError) -> ListPage {
    let parts = await parts(request)
    let isWhole = isWhole(parts)
    guard isWhole || request.isPartial else { throw failure(parts) }
    let isPartial = !isWhole
    var merged = MergedListing(pages(parts), layout) { $0.slot }
    var gathering = ListGathering(limit: request.limit)
    var questionCount = 0
    while !gathering.isFull, questionCount < Self.pageQuestionsMax {
      let findings = merged.next(Self.findingsMax, unsureMax: Self.questionsMax)
      if findings.isEmpty { break }
      questionCount += findings.count(where: \.isUnsure)
      for entry in await entries(findings, isPartial: isPartial) {
        if let entry = try entry.get() { gathering.insert(entry) }
      }
    }
    if let place = merged.place { gathering.end(before: place) }
    var page = gathering.page()
    if isPartial { page.missing = missingNames(parts) }
    return page
  }

  // MARK: The parts

  private typealias Part = Result<ListPage, ExchangeError>

  private enum News: Sendable {
    case part(String, Part)
    case patienceIsOver
  }

  /// The hosts whose disks count, each once.
  private var hosts: Set<String> {
    Set(layout.members.filter { !layout.lost.contains($0.member) }.map(\.name))
  }

  /// What each of them answers, by name.
  private func parts(_ request: ListRequest) async -> [String: Part] {
    let hosts = hosts
    return await withTaskGroup(of: News.self) { group in
      for host in hosts {
        group.addTask(executorPreference: listing.network) { .part(host, await part(request, of: host)) }
      }
      var parts: [String: Part] = [:]
      var isPatient = false
      defer { group.cancelAll() }
      for await news in group {
        switch news {
        case .part(let host, let part): parts[host] = part
        case .patienceIsOver: group.cancelAll()
        }
        if parts.count == hosts.count { break }
        guard !isPatient, isWhole(parts) else { continue }
        isPatient = true
        group.addTask(executorPreference: listing.network) {
          _ = await IOExecutor.current.wait(until: .after(Self.patience))
          return .patienceIsOver
        }
      }
      return parts
    }
  }

  private func part(_ request: ListRequest, of host: String) async -> Part {
    do throws(ExchangeError) {
      if host == cluster.configuration.nodeName { return .success(try await listing.part(request, cluster)) }
      guard let peer = cluster.topology.peer(named: host) else {
        throw .refused(Failure(.unavailable, "LIST: the address of \(host) is not known"))
      }
      return .success(try await listing.page(request, of: peer, cluster))
    } catch {
      return .failure(error)
    }
  }

  /// The pages by the disks that they tell of. What lies on a disk that is no member says nothing of what is decided.
  private func pages(_ parts: [String: Part]) -> [Member: ListPage] {
    var pages: [Member: ListPage] = [:]
    for part in parts.values {
      guard case .success(let page) = part, let member = page.member, !layout.lost.contains(member),
        layout.members.contains(where: { $0.member == member })
      else { continue }
      pages[member] = page
    }
    return pages
  }

  private func missing(_ parts: [String: Part]) -> Set<Member> {
    Set(layout.members.map(\.member)).subtracting(pages(parts).keys)
  }

  private func missingNames(_ parts: [String: Part]) -> [String] {
    let missing = missing(parts)
    return Set(layout.members.filter { missing.contains($0.member) }.map(\.name)).sorted()
  }

  private func isWhole(_ parts: [String: Part]) -> Bool { layout.hasMajorities(without: missing(parts)) }

  /// What to say where too few have answered. That one goes by another layout is told first: it is asked again then.
  private func failure(_ parts: [String: Part]) -> ExchangeError {
    let names = missingNames(parts)
    let failures = names.compactMap { name -> Failure? in
      if case .failure(.refused(let failure))? = parts[name] { failure } else { nil }
    }
    if let other = failures.first(where: { $0.kind == .misdirected }) { return .refused(other) }
    if names.count == 1, let only = failures.first { return .refused(only) }
    let reason = failures.first.map { "; \($0.message.drop(prefix: "LIST: "))" } ?? ""
    return .refused(
      Failure(.unavailable, "LIST: too few nodes answer: \(names.joined(separator: ", ")) do not\(reason)"))
  }

  // MARK: Keys about which the owners differ

  /// The entries that findings come to, in the same order; nil where nothing is to be listed.
  private func entries(
    _ findings: [MergedListing.Finding], isPartial: Bool
  ) async -> [Result<ListEntry?, ExchangeError>] {
    await withTaskGroup(of: (Int, Result<ListEntry?, ExchangeError>).self) { group in
      var entries: [Result<ListEntry?, ExchangeError>] = []
      for (index, finding) in findings.enumerated() {
        switch finding {
        case .entry(let entry): entries.append(.success(entry))
        case .unsure(let key, let listed):
          entries.append(.success(nil))
          group.addTask(executorPreference: listing.network) {
            do throws(ExchangeError) {
              return (index, .success(try await decided(key, listed, isPartial: isPartial).map { .value($0) }))
            } catch {
              return (index, .failure(error))
            }
          }
        }
      }
      for await (index, entry) in group { entries[index] = entry }
      return entries
    }
  }

  private func decided(
    _ key: Key, _ listed: [ListedValue], isPartial: Bool
  ) async throws(ExchangeError) -> ListedValue? {
    switch await listing.decisions.decision(key, layout) {
    case .chosen(let held?, let holders) where held.descriptor.kind == .value:
      if let value = listed.first(where: { held.descriptor.isTold(by: $0) }) { return value }
      return await told(key, held.descriptor, by: holders)
    case .chosen: return nil
    case .moved: throw .refused(Failure(.misdirected, "LIST: the layout has changed meanwhile"))
    case .unavailable:
      if isPartial { return MergedListing.newest(listed) }
      throw .refused(Failure(.unavailable, "LIST: \(key): too few of its owners can be asked"))
    }
  }

  /// What is told of a value that came to be decided after its owners were asked. A descriptor alone does not say of what
  /// type the value is.
  private func told(_ key: Key, _ descriptor: KVCluster.Descriptor, by holders: [Member]) async -> ListedValue {
    var request = ListRequest(prefix: key.bytes)
    request.limit = 1
    for holder in holders {
      guard let host = layout.members.first(where: { $0.member == holder })?.name,
        case .success(let page) = await part(request, of: host), case .value(let value)? = page.entries.first,
        value.key == key.bytes, descriptor.isTold(by: value)
      else { continue }
      return value
    }
    // It has been written again since.
    return ListedValue(
      key: key.bytes, byteCount: descriptor.valueBytes, checksum: descriptor.checksum,
      modifiedAt: HTTPDate(nanosecondsSince1970: descriptor.committedAtNanoseconds))
  }
}

extension KVCluster.Descriptor {
  /// Whether a listing tells of this value.
  fileprivate func isTold(by value: ListedValue) -> Bool {
    value.byteCount == valueBytes && value.checksum == checksum
      && value.modifiedAt == HTTPDate(nanosecondsSince1970: committedAtNanoseconds)
  }
}

extension String {
  /// The text without what it begins with, where it does.
  fileprivate func drop(prefix: String) -> Substring { hasPrefix(prefix) ? dropFirst(prefix.count) : self[...] }
}
