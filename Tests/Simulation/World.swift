import HeapModule
import KVCluster
import KVCore

/// A cluster with its clients, its network and its faults, all of which follow from a seed.
final class World {
  private struct Event: Comparable {
    let time: Double
    let number: Int
    let body: () -> Void

    static func == (left: Event, right: Event) -> Bool { left.number == right.number }
    static func < (left: Event, right: Event) -> Bool {
      left.time < right.time || (left.time == right.time && left.number < right.number)
    }
  }

  /// After this no fault begins, even if clients are still at it.
  private static let faultsUntil = 700.0
  /// So long after the last fault nothing may be left to do.
  private static let settlesWithin = 1500.0

  var random: Randomness
  let options: Options
  private(set) var now = 0.0
  private var events = Heap<Event>()
  private var eventCount = 0
  private(set) var hosts: [Host] = []
  let keys: [Key]
  let slots: [Slot]
  /// The first key of each key's group.
  let groups: [Int]
  /// The numbers of those groups.
  let groupNumbers: [Int]
  var history: [Operation] = []
  private(set) var counts = Counts()
  private var cuts: Set<[Int]> = []
  private var lastDisk: UInt64 = 0
  private(set) lazy var layoutDriver = LayoutDriver(self)
  private var clientsLeft = 0
  /// When the last fault was over.
  private var calmSince = Double.infinity
  private var lastRepair = 0.0
  private var verdict: String?
  private var isOver = false

  init(seed: UInt64, rules: Rules = .all, setting: Options.Setting? = nil) {
    random = Randomness(seed: seed)
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
    for index in 0..<options.hostCount {
      hosts.append(Host(index, self, newDisk(), skew: random.pick([0, 0, 0, 5, 40])))
    }
  }

  func newDisk() -> Disk {
    lastDisk += 1
    return Disk(DiskID(high: 0, low: lastDisk), keyCount: keys.count)
  }

  /// Whether the world went well; nil, or what went wrong.
  func run() -> String? {
    let first = MemberList(
      hosts.prefix(max(options.copies, 3)).map {
        LayoutMember(member: Member(UInt16($0.index + 1)), name: String($0.index), disk: $0.disk.id)
      }, copies: options.copies)
    let layout = Layout(first: first, proposal: .none)
    for host in hosts {
      host.start()
      host.adopt(layout)
    }
    startClients()
    startFaults()
    layoutDriver.start()
    watch()
    while !isOver, let event = events.popMin() {
      now = event.time
      event.body()
    }
    // The hosts and what is left to happen hold on to each other.
    events = Heap()
    hosts = []
    return verdict
  }

  func after(_ delay: Double, _ body: @escaping () -> Void) {
    eventCount += 1
    events.insert(Event(time: now + delay, number: eventCount, body: body))
  }

  func count(_ what: Counts.What) { counts[what] += 1 }

  var isCalm: Bool { calmSince < .infinity }

  // MARK: Network

  /// Something that happens at another host, if the message gets there; once, twice or never.
  func send(
    from source: Host, to target: Int, _ request: RegisterRequest? = nil, _ body: @escaping (Host) -> Void
  ) {
    let destination = hosts[target]
    if destination === source {
      let boot = source.boot
      return after(0.1) { if source.isUp(since: boot) { body(source) } }
    }
    if isCut(source.index, target) || isLost(request) { return count(.lostMessages) }
    let from = source.index
    let deliver = { [self] in if destination.isUp, !isCut(from, target) { body(destination) } }
    let isTwice = random.chance(options.duplication)
    if isTwice { count(.doubledMessages) }
    for _ in 0..<(isTwice ? 2 : 1) {
      let isSlow = isLate(request)
      if isSlow { count(.lateMessages) }
      after(isSlow ? random.ticks(options.slowTicks) : random.ticks(0.5...4), deliver)
    }
    guard case .learn? = request, !isCalm, random.chance(options.lateLessons) else { return }
    count(.lateMessages)
    after(random.ticks(options.slowTicks), deliver)
  }

  private func isLost(_ request: RegisterRequest?) -> Bool {
    guard !isCalm else { return false }
    if case .accept? = request, random.chance(options.acceptLoss) { return true }
    return random.chance(options.loss)
  }

  private func isLate(_ request: RegisterRequest?) -> Bool {
    guard !isCalm else { return false }
    if case .accept? = request, random.chance(options.acceptSlowness) { return true }
    return random.chance(options.slowness)
  }

  private func isCut(_ source: Int, _ target: Int) -> Bool { !cuts.isEmpty && cuts.contains([source, target]) }

  // MARK: Faults

  private func startFaults() {
    if let ticks = options.crashTicks { again(ticks) { [self] in crashSome() } }
    if let ticks = options.cutTicks { again(ticks) { [self] in cutSome() } }
    if let ticks = options.repairTicks { again(ticks) { [self] in Repairer(random.pick(hosts)).repair(someKey) } }
    if let ticks = options.purgeTicks { again(ticks) { [self] in Repairer(random.pick(hosts)).purge(someKey) } }
  }

  private var someKey: Int { random.below(keys.count) }

  /// Something that happens over and over, until faults end.
  func again(_ ticks: ClosedRange<Double>, _ body: @escaping () -> Void) {
    after(random.ticks(ticks)) { [self] in
      guard !isCalm else { return }
      body()
      again(ticks, body)
    }
  }

  private func crashSome() {
    let host = random.pick(hosts)
    if host.isUp, hosts.count(where: \.isUp) > 2 { crash(host, cutsPower: random.chance(0.3)) }
  }

  func crash(_ host: Host, cutsPower: Bool) {
    host.stop(cutsPower: cutsPower)
    count(cutsPower ? .powerCuts : .kills)
    after(random.ticks(options.downTicks)) { if !host.isUp { host.start() } }
  }

  private func cutSome() {
    let alone = random.below(hosts.count)
    var pairs: Set<[Int]> = []
    let isWhole = random.chance(0.5)
    let other = random.below(hosts.count)
    for index in hosts.indices where index != alone && (isWhole || index == other) {
      pairs.insert([alone, index])
      // Half of the lesser cuts are in one direction.
      if isWhole || random.chance(0.5) { pairs.insert([index, alone]) }
    }
    cuts.formUnion(pairs)
    count(.partitions)
    after(random.ticks(5...80)) { [self] in cuts.subtract(pairs) }
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
      after(random.ticks(0...10)) { [self] in
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
      if isCalm, let unrest {
        // One host repairs, and not too often: rounds of many would outbid each other for long.
        if now > lastRepair + 30 {
          lastRepair = now
          for key in keys.indices { Repairer(hosts[0]).repair(key) }
        }
        if now > calmSince + Self.settlesWithin { return end(unrest) }
      } else if isCalm {
        return readAll()
      }
      watch()
    }
  }

  /// What is still to come to rest, or nil.
  private var unrest: String? {
    if clientsLeft > 0 { return "a client is still waiting" }
    if hosts.contains(where: { !$0.isUp || $0.needsReboot }) { return "a host is down" }
    return layoutDriver.unrest ?? keys.indices.lazy.compactMap(disagreement).first
  }

  private func calmDown() {
    calmSince = now
    cuts = []
    for host in hosts where !host.isUp { host.start() }
  }

  /// How the owners of a key differ. A deletion that is forgotten is as good as one that is not.
  private func disagreement(about key: Int) -> String? {
    guard let layout = hosts[0].layout else { return "no layout" }
    let owners = layout.view(of: slots[key]).owners.compactMap(layout.hostIndex)
    let values = owners.map { owner in
      hosts[owner].disk.seen.files[key].flatMap { $0.descriptor.kind == .value ? $0 : nil }
    }
    if Set(values.map { $0?.descriptor.upload }).count > 1 {
      let held = owners.map { hosts[$0].disk.testimony(key, group: groups[key]) }
      return "the owners of key \(keys[key]) differ at the end: \(held.map(\.words))"
    }
    return values.contains { $0?.hasBytes == false } ? "an owner of key \(keys[key]) lacks its bytes at the end" : nil
  }

  private func readAll() {
    var unread = Set(keys.indices)
    for key in keys.indices { SimulatedClient(self).readOnce(key) { if case .found = $0 { unread.remove(key) } } }
    after(200) { [self] in end(unread.min().map { "key \(keys[$0]) cannot be read at the end" }) }
  }

  private func end(_ problem: String?) {
    isOver = true
    let wrong = keys.indices.first { key in !Checker(history.filter { $0.key == key }).isLinearizable }
    verdict =
      layoutDriver.contradiction ?? wrong.map { "the history of key \(keys[$0]) is not linearizable" } ?? problem
    for operation in history { counts.add(operation) }
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
