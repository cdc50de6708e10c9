import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import Logging
import Synchronization

/// What this node knows of the cluster's layout: what is in force, how its disk has voted, and what the other hosts have
/// told lately.
final class Layouts: Sendable {
  struct State {
    var file: LayoutFile.Contents
    var acceptor: LayoutAcceptor
    /// The layout by which others are answered. It is the last to change: nothing is under way any more by then that began
    /// under the one before.
    var answering: Layout?
    var synced: Set<SyncedGroup> = []
    /// Why a group cannot be moved here now.
    var troubles: [Int: String] = [:]
    /// The peer list whose nodes have all been asked, those of them that gave no answer, and those that know no layout.
    var asked: (peers: [Peer], silent: [String], older: Set<String>)?
    /// Those that the list must name as long as there is no layout.
    var companions: Companions
    /// How a change gets on, while there is one.
    var estimate: MoveEstimate?
    /// Groups whose files may have become others'.
    var unswept: Set<Int> = []
    /// Those of them that are being looked at.
    var sweeping: Set<Int> = []
  }

  let current: CurrentCluster
  let store: Store
  let ownDisk: DiskID
  private let stranded: StrandedValues
  let logger: Logger
  /// Whether there was nothing on the disk at the start: then it has never served by its peer list alone.
  private let isFresh: Bool
  let state: Mutex<State>
  /// Others that hang do not keep it from voting for longer.
  private let introductionEnd = Instant.after(.seconds(10))
  let heard: HeardHosts
  /// One changes the file at a time.
  let changing = Mutex(())

  /// Reads what the disk has of it, and has the node go by that.
  init(_ store: Store, _ current: CurrentCluster, _ stranded: StrandedValues, logger: Logger) throws {
    let path = current.value.configuration.dataDirectory
    let file: LayoutFile.Contents
    do throws(LayoutFile.Unusable) { file = try LayoutFile.read(in: store.layout.root, path) } catch {
      throw StoreRefusal(description: error.description)
    }
    self.store = store
    self.current = current
    self.stranded = stranded
    self.logger = logger
    ownDisk = DiskID(store.layout.identifier)
    isFresh = try !store.hasValues()
    heard = HeardHosts(ownDisk: ownDisk, remembered: file.remembered, isWithheld: store.votes.record.isWithheld)
    state = Mutex(
      State(
        file: file, acceptor: LayoutAcceptor(file.record, horizon: store.votes.begunAbove),
        companions: Companions(file.companions),
        unswept: Set(0..<Layout.groupCount)))
    if let layout = file.record.known { go(by: layout, file, state.withLock { $0.acceptor }) }
  }

  /// The layout in force.
  var known: Layout? { state.withLock { $0.file.record.known } }

  /// The epoch of a group; nil while that changes.
  func epoch(of group: Int) -> UInt64? {
    state.withLock { state in
      let epoch = state.file.record.known?.groups[group].epoch
      return epoch == state.answering?.groups[group].epoch ? epoch : nil
    }
  }

  /// What this node tells the others.
  var hello: Hello {
    let configuration = current.value.configuration
    let (record, synced, book) = state.withLock { ($0.file.record, $0.synced, $0.file.addresses) }
    let known = record.known
    return Hello(
      name: configuration.nodeName, disk: ownDisk, process: heard.process,
      history: store.votes.history(accepted: record.accepted),
      cluster: known?.cluster, version: known?.version ?? 0, wish: Wish(configuration),
      valueCount: store.usage.isCounted && stranded.last != nil ? UInt64(store.usage.total.count.values) : nil,
      strandedCount: UInt64(stranded.last?.total ?? 0), synced: Array(synced), isSwept: isSwept,
      addresses: book.map { HostAddress(name: $0.name, address: "\($0.address)") },
      unlisted: Array(unlisted.prefix(Layout.membersMax)))
  }

  /// Hosts that a first layout must not leave out, although the list does.
  var unlisted: [String] {
    let peers = current.value.configuration.peers
    return state.withLock { $0.file.record.known == nil ? $0.companions.unlisted(in: peers) : [] }
  }

  /// What should be decided next, from all that is known now.
  var plan: LayoutPlan {
    let known = known
    return LayoutPlan(
      known: known, own: hello, heard: heard.lately(), older: older,
      gone: heard.gone(of: known?.members.map(\.disk) ?? []), digest: MD5.digest)
  }

  /// The hosts that gave no answer when all were asked last.
  var silent: Set<String> { Set(state.withLock { $0.asked?.silent ?? [] }) }

  /// The listed hosts that are of a version that knows no layout.
  private var older: Set<String> {
    let peers = current.value.configuration.peers
    return state.withLock { $0.asked }.flatMap { $0.peers == peers ? $0.older : nil } ?? []
  }

  /// Whoever was heard of within this time is not given up.
  static let signOfLife = Duration.seconds(15)

  /// What is told of the layout.
  var report: LayoutReport {
    let now = Instant.now
    let (known, book) = state.withLock { ($0.file.record.known, $0.file.addresses) }
    let others = heard.all.sorted { ($0.hello.name, $0.at) < ($1.hello.name, $1.at) }.map { heard in
      LayoutReport.Host(heard.hello, ageSeconds: UInt32(clamping: now.since(heard.at).components.seconds))
    }
    return LayoutReport(
      node: current.value.configuration.nodeName, layout: known,
      addresses: book.map { HostAddress(name: $0.name, address: "\($0.address)") },
      hosts: [LayoutReport.Host(hello, ageSeconds: 0)] + others, progress: progress?.text)
  }

  /// Whether others have told where a host of the layout is to be found that this one knows no address of.
  var lacksAddress: Bool {
    let topology = current.value.topology
    let lacking = (topology.layout?.members ?? []).map(\.name).filter { topology.peer(named: $0) == nil }
    return !lacking.isEmpty && toldAddresses.contains { lacking.contains($0.name) }
  }

  /// What goes on, or is waited for; nil where all is as wished.
  var progress: LayoutProgress? {
    switch doubt {
    case .twin(let name):
      return LayoutProgress(text: "\(name) has a copy of this host's data directory: stop one of them", isWaiting: true)
    case .putBack:
      return LayoutProgress(
        text:
          "this host's data directory is older than the others remember it, so it has no vote: all of them are being "
          + "asked for what it has forgotten", isWaiting: true)
    case nil: break
    }
    if let name = heard.putBackNames.first {
      return LayoutProgress(
        text:
          "\(name)'s data directory is older than this host remembers it: it has no vote before all others have told "
          + "it what it has forgotten", isWaiting: true)
    }
    guard current.value.configuration.peers.count > 1 || known != nil || !unlisted.isEmpty,
      var progress = plan.progress
    else { return nil }
    let (trouble, estimate) = state.withLock { ($0.troubles.min { $0.key < $1.key }, $0.estimate) }
    if let known, !progress.isWaiting, let seconds = estimate?.secondsLeft(known, at: .now) {
      progress.secondsLeft = seconds
      progress.text += ", \(MoveEstimate.words(secondsLeft: seconds))"
    }
    if let trouble {
      progress.text += "; group \(ValuePath.shards[trouble.key]): \(trouble.value)"
      progress.isWaiting = true
    }
    return progress
  }

  /// Takes note that all nodes of the list have been asked, which gave no answer, and which are of a version that knows no
  /// layout.
  func asked(_ cluster: Cluster, silent: [String], older: Set<String>) {
    state.withLock { $0.asked = (cluster.configuration.peers, silent, older) }
  }

  /// Why this node cannot tell who answers for a key, although it has a peer list; nil where it can. The others may have
  /// decided on a layout long ago. A disk that has values has served them by the list before, and goes on; and so does one
  /// among nodes that know nothing else.
  var ignorance: String? {
    if let twin = heard.twinName {
      return "\(twin) has a copy of the data directory of \(current.value.configuration.nodeName)"
    }
    let peers = current.value.configuration.peers
    guard peers.count > 1 else { return nil }
    let (isKnown, asked) = state.withLock { ($0.file.record.known != nil, $0.asked) }
    if isKnown { return nil }
    guard let asked, asked.peers == peers else { return "the other nodes are being asked who answers for it" }
    guard isFresh, asked.older.isEmpty else { return nil }
    guard !asked.silent.isEmpty else { return progress?.text ?? "there is no layout yet" }
    return "no node answers for keys yet: \(asked.silent.sorted().joined(separator: ", ")) gave no answer"
  }

  /// Hosts by whose side this one answers for keys without a layout, and of which it has taken no note yet.
  var newCompanions: [Peer] {
    guard known == nil, ignorance == nil else { return [] }
    let (configuration, older, lately) = (current.value.configuration, older, heard.lately())
    return state.withLock {
      $0.companions.missing(from: configuration.peers, own: configuration.nodeName, heard: lately, older: older)
    }
  }

  /// Takes note of what a host has told. What is remembered of its disk, where that has gone back since.
  func take(_ hello: Hello) -> DiskHistory? {
    let record = record
    let isMember = [record.known, record.layout].contains { layout in
      layout?.members.contains { $0.disk == hello.disk && $0.name == hello.name } ?? false
    }
    return heard.take(hello, isMember: isMember)
  }

  /// Takes note that another host remembers this one's disk as it was later.
  func notePutBack(_ remembered: DiskHistory) {
    // An answer may be late: then the disk has come further since.
    let history = store.votes.history(accepted: record.accepted)
    guard remembered.isPossible, !history.follows(remembered), heard.notePutBack(remembered) else { return }
    logger.warning(
      "the data directory is older than other hosts remember it, so its votes do not count until all have been asked")
    // Where it cannot be written, this process knows, and the next one is told again.
    _ = try? store.votes.withhold()
  }

  /// Why this disk's word does not count. Before it knows of a layout it has helped to decide nothing that the others need
  /// not all agree to once more.
  var doubt: HeardHosts.Doubt? {
    let doubt = heard.doubt
    if case .putBack? = doubt, known == nil { return nil }
    return doubt
  }

  /// Whether the others have been asked, and not all were silent.
  private var hasHeard: Bool {
    guard let asked = state.withLock({ $0.asked }) else { return false }
    return asked.silent.isEmpty || !heard.lately().isEmpty
  }

  /// Whether this disk's word counts when nodes vote: not before the others could say whether it has gone back.
  var mayVote: Bool { doubt == nil && (hasHeard || Instant.now > introductionEnd) }

  /// The addresses that the others have told, the latest word first.
  var toldAddresses: [Peer] {
    heard.all.flatMap(\.hello.addresses).compactMap { host in
      (try? PeerAddress(parsing: host.address)).map { Peer(name: host.name, address: $0) }
    }
  }

  /// Takes note that this node has all of a group.
  func synced(_ group: SyncedGroup) { state.withLock { _ = $0.synced.insert(group) } }

  func isSynced(_ group: SyncedGroup) -> Bool { state.withLock { $0.synced.contains(group) } }

  /// Takes note of why a group cannot be moved here now, or that it can.
  func note(trouble: String?, group: Int) {
    let isNew = state.withLock { state in
      defer { state.troubles[group] = trouble }
      return trouble != nil && state.troubles[group] != trouble
    }
    guard let trouble, isNew else { return }
    logger.warning(
      "a group of values cannot be moved yet, and is tried again: \(trouble)",
      metadata: ["group": "\(ValuePath.shards[group])"])
  }

  /// The groups that may hold what has become others', once.
  func beginSweep() -> Set<Int> {
    state.withLock { state in
      (state.sweeping, state.unswept) = (state.unswept, [])
      return state.sweeping
    }
  }

  /// Those that were begun with have been looked at.
  func endSweep() { state.withLock { $0.sweeping = [] } }

  /// Whether all of them have been looked at.
  var isSwept: Bool { state.withLock { $0.unswept.isEmpty && $0.sweeping.isEmpty || $0.file.record.known == nil } }

  /// Has a group looked at again.
  func sweepAgain(_ group: Int) { state.withLock { _ = $0.unswept.insert(group) } }
}
