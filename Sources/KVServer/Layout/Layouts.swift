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
  /// For how long what a host has told of itself counts.
  static let freshness = Duration.seconds(5)
  private static let heardMax = 2 * Layout.membersMax

  private struct State {
    var file: LayoutFile.Contents
    var acceptor: LayoutAcceptor
    /// The layout by which others are answered. It is the last to change: nothing is under way any more by then that began
    /// under the one before.
    var answering: Layout?
    var heard: [DiskID: Heard] = [:]
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

  private struct Heard {
    let hello: Hello
    let at: Instant
  }

  let current: CurrentCluster
  private let store: Store
  private let ownDisk: DiskID
  private let process = UInt64.random(in: 1...(.max))
  private let stranded: StrandedValues
  private let logger: Logger
  /// Whether there was nothing on the disk at the start: then it has never served by its peer list alone.
  private let isFresh: Bool
  private let state: Mutex<State>
  /// Another host that has a copy of this one's data directory. Every request asks for it, so it has a lock of its own.
  private let heardTwin = Mutex<Heard?>(nil)
  /// One changes the file at a time.
  private let changing = Mutex(())

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
    state = Mutex(
      State(
        file: file, acceptor: LayoutAcceptor(file.record, horizon: store.votes.startHorizon),
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
    let (known, synced, book) = state.withLock { ($0.file.record.known, $0.synced, $0.file.addresses) }
    return Hello(
      name: configuration.nodeName, disk: ownDisk, process: process, cluster: known?.cluster,
      version: known?.version ?? 0,
      wish: Wish(configuration),
      valueCount: store.usage.isCounted && stranded.last != nil ? UInt64(store.usage.total.count.values) : nil,
      strandedCount: UInt64(stranded.last?.total ?? 0), synced: Array(synced), isSwept: isSwept,
      addresses: book.map { HostAddress(name: $0.name, address: "\($0.address)") },
      unlisted: Array(unlisted.prefix(Layout.membersMax)))
  }

  /// Hosts that a first layout must not leave out, although the list does.
  private var unlisted: [String] {
    let peers = current.value.configuration.peers
    return state.withLock { $0.file.record.known == nil ? $0.companions.unlisted(in: peers) : [] }
  }

  /// What should be decided next, from all that is known now.
  var plan: LayoutPlan {
    LayoutPlan(known: known, own: hello, heard: heardLately, older: older, digest: MD5.digest)
  }

  /// The listed hosts that are of a version that knows no layout.
  private var older: Set<String> {
    let peers = current.value.configuration.peers
    return state.withLock { $0.asked }.flatMap { $0.peers == peers ? $0.older : nil } ?? []
  }

  /// What hosts have told of themselves so lately that it counts.
  private var heardLately: [Hello] { heard(within: Self.freshness) }

  /// What hosts have told of themselves not longer ago.
  func heard(within age: Duration) -> [Hello] {
    let now = Instant.now
    return state.withLock { $0.heard.values.filter { now.since($0.at) < age }.map(\.hello) }
  }

  /// Whoever was heard of within this time is not given up.
  static let signOfLife = Duration.seconds(15)

  /// What is told of the layout.
  var report: LayoutReport {
    let now = Instant.now
    let (known, book, heard) = state.withLock { ($0.file.record.known, $0.file.addresses, $0.heard.values) }
    let others = heard.sorted { ($0.hello.name, $0.at) < ($1.hello.name, $1.at) }.map { heard in
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
    if let twin {
      return LayoutProgress(text: "\(twin) has a copy of this host's data directory: stop one of them", isWaiting: true)
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
    if let twin { return "\(twin) has a copy of the data directory of \(current.value.configuration.nodeName)" }
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
    let (configuration, older, heard) = (current.value.configuration, older, heardLately)
    return state.withLock {
      $0.companions.missing(from: configuration.peers, own: configuration.nodeName, heard: heard, older: older)
    }
  }

  /// Takes note of what a host has told.
  func heard(_ hello: Hello) {
    let now = Instant.now
    if hello.disk == ownDisk {
      // A list may lead a node to itself.
      if hello.process != process { heardTwin.withLock { $0 = Heard(hello: hello, at: now) } }
      return
    }
    state.withLock { state in
      if state.heard.count >= Self.heardMax {
        state.heard = state.heard.filter { now.since($0.value.at) < Self.freshness }
      }
      guard state.heard.count < Self.heardMax || state.heard[hello.disk] != nil else { return }
      state.heard[hello.disk] = Heard(hello: hello, at: now)
    }
  }

  /// Another host that has a copy of this one's data directory, and was heard of lately: which of the two is right nobody
  /// can tell, so that neither answers or votes.
  var twin: String? {
    guard let twin = heardTwin.withLock({ $0 }), Instant.now.since(twin.at) < Self.twinMemory else { return nil }
    return twin.hello.name
  }

  private static let twinMemory = Duration.seconds(30)

  /// The addresses that the others have told, the latest word first.
  private var toldAddresses: [Peer] {
    let hellos = state.withLock { $0.heard.values.sorted { $0.at > $1.at } }
    return hellos.flatMap(\.hello.addresses).compactMap { host in
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

/// Voting about it. On the disk threads.
extension Layouts {
  func prepare(_ ballot: Ballot) -> LayoutAnswer? {
    guard twin == nil, reach(ballot) else { return nil }
    return changing.withLock { _ in state.withLock { $0.acceptor.prepare(ballot) } }
  }

  func accept(_ ballot: Ballot, _ layout: Layout) -> LayoutAnswer? {
    guard twin == nil, reach(ballot), known.map({ $0.cluster == layout.cluster }) ?? unlisted.isEmpty,
      !givesUpTheLiving(layout)
    else { return nil }
    return changing.withLock { _ in
      // Nothing counts before it is on the disk.
      var acceptor = state.withLock { $0.acceptor }
      let answer = acceptor.accept(ballot, layout)
      guard answer == .done else { return answer }
      guard let file = write(acceptor) else { return nil }
      state.withLock { ($0.acceptor, $0.file) = (acceptor, file) }
      return answer
    }
  }

  /// Whether a layout gives somebody up who is there.
  private func givesUpTheLiving(_ layout: Layout) -> Bool {
    let given = layout.lost.subtracting(known?.lost ?? [])
    let living = heard(within: Self.signOfLife).map(\.disk) + [ownDisk]
    return layout.members.contains { given.contains($0.member) && living.contains($0.disk) }
  }

  /// Goes by a layout that was decided, if it is newer. What was missed under the present one is put aside before.
  func learn(_ layout: Layout) {
    changing.withLock { _ in
      var (acceptor, before) = state.withLock { ($0.acceptor, $0.file.record) }
      guard before.known.map({ $0.cluster == layout.cluster }) ?? isWished(layout), acceptor.learn(layout) else {
        return
      }
      guard setAsideMissed(layout, since: before), let file = write(acceptor) else { return }
      go(by: layout, file, acceptor)
      log(layout, since: before.known)
    }
  }

  /// Whether this host's own list names one of the layout's: a cluster that lists it by mistake must not get hold of it.
  private func isWished(_ layout: Layout) -> Bool {
    let names = current.value.configuration.peers.map(\.name)
    return layout.members.contains { names.contains($0.name) }
  }

  /// Takes note of them. Their list may be another at the next start.
  func noteCompanions() {
    changing.withLock { _ in
      let new = newCompanions
      guard !new.isEmpty else { return }
      let acceptor = state.withLock { state in
        state.companions.remember(new)
        return state.acceptor
      }
      guard let file = write(acceptor) else { return }
      state.withLock { $0.file = file }
    }
  }

  /// A new configuration may have new addresses.
  func reloaded() {
    changing.withLock { _ in
      let acceptor = state.withLock { $0.acceptor }
      guard let known, let file = write(acceptor) else { return }
      go(by: known, file, acceptor)
    }
  }

  private func reach(_ ballot: Ballot) -> Bool {
    do throws(SystemError) {
      try store.votes.reach(ballot.counter)
      return true
    } catch {
      return false
    }
  }

  private func write(_ acceptor: LayoutAcceptor) -> LayoutFile.Contents? {
    let contents = LayoutFile.Contents(record: acceptor.record, addresses: addresses(acceptor.record))
    do throws(SystemError) {
      try LayoutFile.write(contents, in: store.layout.root)
    } catch {
      logger.error("the data directory's file 'layout' cannot be written, so this node does not vote: \(error)")
      return nil
    }
    return contents
  }

  /// Where the hosts of the layout are to be found: the peer list decides, and what it does not name stays as it was.
  private func addresses(_ record: LayoutAcceptor.Record) -> [Peer] {
    let listed = current.value.configuration.peers
    let (earlier, companions) = state.withLock { ($0.file.addresses, $0.companions.hosts) }
    if record == LayoutAcceptor.Record() { return companions }
    let names = Set(((record.known?.members ?? []) + (record.layout?.members ?? [])).map(\.name))
    var known: Set<String> = []
    return (listed + earlier + toldAddresses).filter { names.contains($0.name) && known.insert($0.name).inserted }
  }

  private func setAsideMissed(_ layout: Layout, since record: LayoutAcceptor.Record) -> Bool {
    guard let member = layout.member(of: ownDisk) else { return true }
    // Whoever agreed to the first layout was there from the beginning.
    let earlier = record.known ?? record.layout.flatMap { $0.version == 1 && $0.cluster == layout.cluster ? $0 : nil }
    if layout.version == 1 { return true }
    for group in 0..<Layout.groupCount {
      if let earlier, earlier.groups[group] == layout.groups[group] { continue }
      let missed = LayoutPlan.slots(of: group).filter { slot in
        guard layout.view(of: slot).hasVoter(member) else { return false }
        return earlier.map { !layout.keeps(slot, at: member, since: $0) } ?? true
      }
      if missed.isEmpty { continue }
      do throws(SystemError) {
        let count = try store.setAside(group: group, where: Set(missed).contains)
        guard count > 0 else { continue }
        logger.warning("values that others had the say about were put aside", metadata: ["values": "\(count)"])
        store.index.markStale()
      } catch {
        logger.error("the new layout cannot be gone by yet: what was missed cannot be put aside: \(error)")
        return false
      }
    }
    return true
  }

  /// Goes by a layout that is on the disk. First nothing new is done alone that others have a say about by it; then what
  /// is asked under the one before is refused; and when nothing of that is under way any more, others are answered by it.
  private func go(by layout: Layout, _ file: LayoutFile.Contents, _ acceptor: LayoutAcceptor) {
    store.votes.become(layout.member(of: ownDisk) ?? Member(0))
    // Whoever is given up stores nothing alone any more.
    let isLost = layout.member(of: ownDisk).map(layout.lost.contains) ?? false
    store.set(
      layout.groups.indices.map { group in
        Say(epoch: layout.groups[group].epoch, isShared: isLost || layout.isShared(group))
      })
    current.take(layout, disk: ownDisk, known: file.addresses)
    state.withLock { state in
      (state.acceptor, state.file) = (acceptor, file)
      state.troubles = state.troubles.filter { layout.groups[$0.key].phase == .moving }
      if state.estimate?.isAbout(layout) != true { state.estimate = MoveEstimate(layout, at: .now) }
      state.synced = state.synced.filter { layout.groups[Int($0.group)].epoch == $0.epoch }
      state.unswept.formUnion(layout.groups.indices.filter { layout.groups[$0].phase == .new })
      if layout.next == nil { state.unswept = Set(0..<Layout.groupCount) }
    }
    store.passCommits()
    state.withLock { $0.answering = layout }
  }

  private func log(_ layout: Layout, since earlier: Layout?) {
    let lost = layout.members.filter { layout.lost.contains($0.member) }.map(\.name)
    if !lost.isEmpty, layout.lost != earlier?.lost {
      logger.warning(
        "hosts are given up, with what only they stored", metadata: ["hosts": "\(lost.joined(separator: " "))"])
    }
    guard earlier?.lists != layout.lists else { return }
    logger.notice(
      "a layout is in force",
      metadata: [
        "version": "\(layout.version)", "hosts": "\(layout.current.members.map(\.name).joined(separator: " "))",
        "changing_to": "\(layout.next?.members.map(\.name).joined(separator: " ") ?? "-")",
      ])
  }
}
