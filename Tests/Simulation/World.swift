import KVCluster
import KVCore

/// A cluster with its clients, its network and its faults, all of which follow from a seed.
final class World {
  /// After this no fault begins, even if clients are still at it.
  private static let faultsUntil = 700.0
  /// So long after the last fault nothing may be left to do.
  private static let settlesWithin = 1500.0

  var network: Network
  let options: Options
  private(set) var hosts: [Host] = []
  let keys: [Key]
  let slots: [Slot]
  /// The first key of each key's group.
  let groups: [Int]
  /// The numbers of those groups.
  let groupNumbers: [Int]
  var history: [Operation] = []
  private var lastDisk: UInt64 = 0
  private let layoutRules: LayoutRules
  private(set) lazy var layoutDriver: any Government =
    options.setting == .founding ? PlanDriver(self, rules: layoutRules) : LayoutDriver(self)
  /// Whether all owners have held the same since a disk lost something last.
  var isWhole = true
  private var clientsLeft = 0
  /// When the last fault was over.
  private var calmSince = Double.infinity
  private var lastRepair = 0.0
  private var verdict: String?
  private var isOver = false

  init(seed: UInt64, rules: Rules = .all, layoutRules: LayoutRules = .all, setting: Options.Setting? = nil) {
    self.layoutRules = layoutRules
    var random = Randomness(seed: seed)
    options = Options(&random, rules: rules, setting: setting)
    // Two of the keys share a group, and so a floor.
    slots = [0x1000, 0x1001, 0xa000].prefix(options.keyCount).map { Slot(number: $0) }
    let slots = slots
    groups = slots.map { slot in slots.firstIndex { $0.group == slot.group } ?? 0 }
    groupNumbers = Set(slots.map(\.group)).sorted()
    keys = slots.indices.map { index in
      guard let key = try? Key([UInt8(index) + 97]) else { preconditionFailure("one byte is a key") }
      return key
    }
    network = Network(options, random)
    for index in 0..<options.hostCount {
      hosts.append(Host(index, self, newDisk(), skew: network.random.pick([0, 0, 0, 5, 40])))
    }
  }

  func newDisk() -> Disk {
    lastDisk += 1
    return Disk(DiskID(high: 0, low: lastDisk), keyCount: keys.count)
  }

  /// Whether the world went well; nil, or what went wrong.
  func run() -> String? {
    if options.setting == .founding { beginWithoutLayout() } else { beginWithLayout() }
    startClients()
    startFaults()
    layoutDriver.start()
    watch()
    while !isOver, let event = network.next() { handle(event) }
    // The hosts and what is left to happen hold on to each other.
    network.forgetAll()
    hosts = []
    return verdict
  }

  /// One host may have had values before it had others.
  private func beginWithoutLayout() {
    if options.isOld {
      for key in keys.indices {
        let upload = UploadID(member: Member(0), counter: UInt64(key + 1))
        let descriptor = Descriptor(
          upload: upload, kind: .value, valueBytes: key + 1, committedAtNanoseconds: 0,
          checksum: ValueChecksum(high: 0, low: 0))
        let ballot = Ballot(counter: 1, member: Member(0))
        hosts[0].disk.writeSynced(.file(key, Held(ballot: ballot, descriptor: descriptor, hasBytes: true)))
        var operation = Operation(key: key, kind: .put, value: key + 1, begun: -2)
        (operation.ended, operation.result) = (-1, .done)
        history.append(operation)
      }
    }
    for host in hosts { host.start() }
  }

  private func beginWithLayout() {
    let first = MemberList(
      hosts.prefix(max(options.copies, 3)).map {
        LayoutMember(member: Member(UInt16($0.index + 1)), name: String($0.index), disk: $0.disk.id)
      }, copies: options.copies)
    let layout = DecidedLayout(Layout(first: first, proposal: .none), slots)
    for host in hosts {
      host.start()
      host.adopt(layout)
    }
  }

  private func handle(_ event: Agenda.Event) {
    switch event {
    case .any(let body): body()
    case .process(let host, let boot, let body): if host.isUp(since: boot) { body() }
    case .parcel(let parcel): if network.arrives(parcel) { parcel.arrive() }
    }
  }

  func after(_ delay: Double, _ body: @escaping () -> Void) { network.add(.any(body), after: delay) }

  /// Something that a host's process does as long as it is the same one.
  func after(_ delay: Double, at host: Host, _ body: @escaping () -> Void) {
    network.add(.process(host, boot: host.boot, body), after: delay)
  }

  var now: Double { network.now }
  var counts: Counts { network.counts }
  func count(_ what: Counts.What) { network.counts[what] += 1 }

  var isCalm: Bool { network.isCalm }

  // MARK: Layout

  var newestLayout: Layout? { newestLayout { _ in true } }

  func newestLayout(where isMeant: (Host) -> Bool) -> Layout? {
    var newest: DecidedLayout?
    for host in hosts where isMeant(host) {
      if let known = host.known, known.version > newest?.version ?? 0 { newest = known }
    }
    return newest?.layout
  }

  /// The hosts' disks, in the order of the hosts.
  var disks: [DiskID] { hosts.map { $0.disk.id } }

  // MARK: Network

  /// Something that happens at another host, if the message gets there; once, twice or never.
  func send(from source: Host, to target: Int, _ body: @escaping (Host) -> Void) {
    network.send(Call(from: source, to: hosts[target], body))
  }

  func ask(_ inquiry: Inquiry, _ member: Member) {
    guard let target = inquiry.known.hostIndex(of: member) else { return }
    network.send(Question(inquiry, member, to: hosts[target]))
  }

  func answer(_ reply: Reply, to inquiry: Inquiry, asked: Member, from owner: Host) {
    if inquiry.take != nil { network.send(Answer(reply, to: inquiry, asked, from: owner)) }
  }

  // MARK: Faults

  private func startFaults() {
    if let ticks = options.crashTicks { again(ticks) { [self] in crashSome() } }
    if let ticks = options.cutTicks { again(ticks) { [self] in cutSome() } }
    if let ticks = options.rotTicks { again(ticks) { [self] in damageSome() } }
    if let ticks = options.repairTicks {
      again(ticks) { [self] in Repairer(network.random.pick(hosts)).repair(someKey) }
    }
    if let ticks = options.purgeTicks { again(ticks) { [self] in Repairer(network.random.pick(hosts)).purge(someKey) } }
  }

  private var someKey: Int { network.random.below(keys.count) }

  /// Something that happens over and over, until faults end.
  func again(_ ticks: ClosedRange<Double>, _ body: @escaping () -> Void) {
    after(network.random.ticks(ticks)) { [self] in
      guard !isCalm else { return }
      body()
      again(ticks, body)
    }
  }

  private func crashSome() {
    let host = network.random.pick(hosts)
    guard host.isUp, hosts.count(where: \.isUp) > 2 else { return }
    if network.random.chance(options.stops) { return stop(host) }
    crash(host, cutsPower: network.random.chance(0.3))
  }

  private func stop(_ host: Host) {
    host.close()
    count(.stops)
    startAgain(host)
  }

  func crash(_ host: Host, cutsPower: Bool) {
    host.stop(cutsPower: cutsPower)
    count(cutsPower ? .powerCuts : .kills)
    startAgain(host)
  }

  private func startAgain(_ host: Host) {
    after(network.random.ticks(options.downTicks)) { if !host.isUp { host.start() } }
  }

  func loseDisk(of host: Host) {
    count(.lostDisks)
    let disk = newDisk()
    host.stop(cutsPower: false)
    host.replaceDisk(options.rules.contains(.renumbersDisks) ? disk : Disk(host.disk.id, keyCount: keys.count))
    host.start()
  }

  /// Whether the layouts that hosts go by, or have accepted, decided or not, can do without a host's disk: where one leads to
  /// two disks that are lost of three or four, all changes stop.
  func outlivesDisk(of lost: Host?) -> Bool {
    let disks = Set(hosts.lazy.filter { $0 !== lost }.map(\.disk.id))
    return hosts.allSatisfy { host in
      let record = host.layoutAcceptor.record
      return [record.known, record.layout].allSatisfy { layout in
        (layout?.lists ?? []).allSatisfy { $0.isMajority(disks) }
      }
    }
  }

  /// The bytes of a value rot on one disk. The next disk fails only when all is whole again, and there are enough copies
  /// besides: of what was never agreed on, the only ones may be lost, and then nobody can settle it.
  private func damageSome() {
    guard let layout = newestLayout else { return }
    let key = someKey
    if isFull(layout) { isWhole = true }
    guard isWhole, ([layoutDriver.copies] + layout.lists.map(\.copies)).allSatisfy({ $0 >= 3 }) else { return }
    let host = network.random.pick(hosts)
    guard let held = host.disk.durable.files[key], held == host.disk.seen.files[key], held.descriptor.kind == .value,
      held.hasBytes
    else { return }
    let copies = hosts.filter { other in
      guard other !== host, let copy = other.disk.durable.files[key] else { return false }
      return copy.descriptor.upload == held.descriptor.upload && copy.hasBytes
    }
    let holders = Set(copies.compactMap { layout.member(of: $0.disk.id) })
    guard layout.lists.allSatisfy({ View.isMajority(holders, of: $0.owners(of: slots[key])) }) else { return }
    isWhole = false
    count(.damages)
    host.disk.damage(key, keepingVote: options.rules.contains(.keepsVotes))
  }

  /// Whether all members know the layout, and all owners of all keys hold the same, with its bytes, on disk.
  func isFull(_ layout: Layout) -> Bool {
    let disks: [Disk?] = layout.current.members.map { member in
      let host = hosts.first { $0.disk.id == member.disk }
      return host?.known?.version == layout.version ? host?.disk : nil
    }
    guard layout.next == nil, !disks.contains(where: { $0 == nil }) else { return false }
    return slots.enumerated().allSatisfy { key, slot in
      let owners = layout.current.owners(of: slot)
      let states = zip(layout.current.members, disks).filter { owners.contains($0.0.member) }.map {
        $0.1?.durable.files[key]
      }
      return Set(states).count == 1 && states[0]?.hasBytes ?? true
    }
  }

  private func cutSome() {
    let alone = network.random.below(hosts.count)
    var ways: UInt64 = 0
    let isWhole = network.random.chance(0.5)
    let other = network.random.below(hosts.count)
    for index in hosts.indices where index != alone && (isWhole || index == other) {
      ways |= network.way(alone, index)
      // Half of the lesser cuts are in one direction.
      if isWhole || network.random.chance(0.5) { ways |= network.way(index, alone) }
    }
    network.cut(ways)
    count(.partitions)
    after(network.random.ticks(5...80)) { [self] in network.mend(ways) }
  }

  // MARK: Clients

  /// What is most likely to be a key's value.
  func newest(_ key: Int) -> Int? {
    let held = hosts.compactMap { $0.disk.seen.files[key] }.max { $0.ballot < $1.ballot }
    return held?.descriptor.kind == .value ? held?.descriptor.valueBytes : nil
  }

  private func startClients() {
    for _ in 0..<options.clientCount {
      clientsLeft += 1
      after(network.random.ticks(0...10)) { [self] in
        SimulatedClient(self).act(options.operationsEach) { [self] in clientsLeft -= 1 }
      }
    }
  }

  // MARK: The end

  /// Faults end with what the clients do. Then all must come to rest: everybody up, the wished list in force, the owners
  /// of each key at one; and what a client then gets must fit in with what happened before.
  private func watch() {
    after(10) { [self] in
      if !isCalm, clientsLeft == 0 || now > Self.faultsUntil { calmDown() }
      if isCalm, layoutDriver.isHopeless { return endWithoutLayout() }
      if isCalm, !isAtRest {
        // One host repairs, and not too often: rounds of many would outbid each other for long.
        if now > lastRepair + 30 {
          lastRepair = now
          for key in keys.indices { Repairer(hosts[0]).repair(key) }
        }
        if now > calmSince + Self.settlesWithin {
          // A layout that names two lost disks may have been about to be accepted when the second was lost.
          guard !outlivesDisk(of: nil) else { return end(unrest ?? "nothing came to rest") }
          count(.stoppedLayouts)
          return end(nil)
        }
      } else if isCalm {
        return readAll()
      }
      watch()
    }
  }

  private var isAtRest: Bool {
    clientsLeft == 0 && hosts.allSatisfy { $0.isUp && !$0.needsReboot } && layoutDriver.isAtRest
      && keys.indices.allSatisfy { disagreement(about: $0) == nil }
  }

  /// What is still to come to rest, or nil.
  private var unrest: String? {
    if clientsLeft > 0 { return "a client is still waiting" }
    if hosts.contains(where: { !$0.isUp || $0.needsReboot }) { return "a host is down" }
    return layoutDriver.unrest ?? keys.indices.lazy.compactMap(disagreement).first
  }

  private func calmDown() {
    calmSince = now
    network.isCalm = true
    network.mend(.max)
    for host in hosts where !host.isUp { host.start() }
  }

  /// How the owners of a key differ. A deletion that is forgotten is as good as one that is not.
  private func disagreement(about key: Int) -> String? {
    guard let known = hosts[0].known else { return "no layout" }
    let owners = known.views[key].owners.compactMap(known.hostIndex)
    let values = owners.map { owner in
      hosts[owner].disk.seen.files[key].flatMap { $0.descriptor.kind == .value ? $0 : nil }
    }
    if Set(values.map { $0?.descriptor.upload }).count > 1 {
      let held = owners.map { hosts[$0].testimony(key) }
      return "the owners of key \(keys[key]) differ at the end: \(held.map(\.words))"
    }
    return values.contains { $0?.hasBytes == false } ? "an owner of key \(keys[key]) lacks its bytes at the end" : nil
  }

  /// A disk was lost in the midst of the first round. No harm is done where nobody was told anything.
  private func endWithoutLayout() {
    count(.hopelessFoundings)
    end(
      history.allSatisfy { $0.begun < 0 || $0.result == .unknown || $0.result == .nothing } ? nil : "no layout is left")
  }

  private func readAll() {
    var unread = Set(keys.indices)
    for key in keys.indices {
      SimulatedClient(self).readOnce(key) { [self] in
        guard case .found = $0 else { return }
        unread.remove(key)
        if unread.isEmpty { end(nil) }
      }
    }
    after(200) { [self] in end(unread.min().map { "key \(keys[$0]) cannot be read at the end" }) }
  }

  private func end(_ problem: String?) {
    isOver = true
    let wrong = keys.indices.first { key in !Checker(history.filter { $0.key == key }).isLinearizable }
    verdict =
      layoutDriver.contradiction ?? wrong.map { "the history of key \(keys[$0]) is not linearizable" } ?? problem
    for operation in history { network.counts.add(operation) }
  }

  func printHistory() {
    print(options)
    for operation in history {
      print(
        "  key \(operation.key) \(operation.kind) \(operation.value): \(operation.begun) to \(operation.ended) \(operation.result)"
      )
    }
  }
}

extension Testimony {
  fileprivate var words: String {
    let floor = "floor \(floor.counter).\(floor.member.number)"
    guard let held else { return "nothing, \(floor)" }
    return
      "\(held.descriptor.kind) \(held.descriptor.valueBytes) at \(held.ballot.counter).\(held.ballot.member.number), \(floor)"
  }
}
