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
    static func < (left: Event, right: Event) -> Bool { (left.time, left.number) < (right.time, right.number) }
  }

  /// After this no fault begins, and what is broken heals.
  static let faultsUntil = 700.0
  /// After this nothing may be left to do.
  static let endsAt = 3000.0

  var random: Randomness
  let options: Options
  private(set) var now = 0.0
  private var events = Heap<Event>()
  private var eventCount = 0
  private(set) var hosts: [Host] = []
  /// The keys with their slots.
  let keys: [Key: Slot]
  let keyList: [Key]
  var history: [Operation] = []
  private(set) var counts: [String: Int] = [:]
  private var cuts: Set<[Int]> = []
  var lastDisk: UInt64 = 0
  lazy var layoutDriver = LayoutDriver(self)

  init(seed: UInt64, rules: Rules = .all) {
    random = Randomness(seed: seed)
    options = Options(&random, rules: rules)
    // Two of the keys share a group, and so a floor.
    let slots = [0x1000, 0x1001, 0xa000].prefix(options.keyCount)
    keyList = slots.indices.map { index in
      guard let key = try? Key([UInt8(index) + 97]) else { preconditionFailure("one byte is a key") }
      return key
    }
    keys = Dictionary(uniqueKeysWithValues: zip(keyList, slots.map { Slot(number: $0) }))
    for index in 0..<options.hostCount {
      hosts.append(Host(index, self, Disk(newDisk()), skew: random.pick([0, 0, 0, 5, 40])))
    }
  }

  func newDisk() -> DiskID {
    lastDisk += 1
    return DiskID(high: 0, low: lastDisk)
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
    while let event = events.popMin(), event.time < Self.endsAt {
      now = event.time
      event.body()
    }
    return verdict()
  }

  func after(_ delay: Double, _ body: @escaping () -> Void) {
    eventCount += 1
    events.insert(Event(time: now + delay, number: eventCount, body: body))
  }

  func count(_ what: String) { counts[what, default: 0] += 1 }

  var isCalm: Bool { now > Self.faultsUntil }

  // MARK: Network

  /// Something that happens at another host, if the message gets there; once, twice or never.
  func send(from source: Host, to target: Int, _ body: @escaping (Host) -> Void) {
    let destination = hosts[target]
    if target == source.index {
      return after(0.1, destination.whileAlive { body(destination) })
    }
    if cuts.contains([source.index, target]) || (!isCalm && random.chance(options.loss)) { return }
    for _ in 0..<(random.chance(options.duplication) ? 2 : 1) {
      let delay = !isCalm && random.chance(options.slowness) ? random.ticks(20...250) : random.ticks(0.5...4)
      after(delay) { [unowned self] in
        if destination.isUp, !cuts.contains([source.index, target]) { body(destination) }
      }
    }
  }

  // MARK: Faults

  private func startFaults() {
    if options.hasCrashes { after(random.ticks(options.isHot ? 1...20 : 5...60)) { [unowned self] in crashSome() } }
    if options.hasPartitions { after(random.ticks(5...60)) { [unowned self] in cutSome() } }
    if options.hasRepair { background { [unowned self] in Repairer(hosts[random.below(hosts.count)]).repair($0) } }
    if options.hasPurge { background { [unowned self] in Repairer(hosts[random.below(hosts.count)]).purge($0) } }
  }

  private func background(_ body: @escaping (Key) -> Void) {
    after(random.ticks(options.isHot ? 2...10 : 8...40)) { [unowned self] in
      body(random.pick(keyList))
      if now < 1200 { background(body) }
    }
  }

  private func crashSome() {
    let host = random.pick(hosts)
    if host.isUp, hosts.count(where: \.isUp) > 2 { crash(host, cutsPower: random.chance(0.3)) }
    if now < 500 {
      after(random.ticks(options.isHot ? 1...12 : 10...90)) { [unowned self] in crashSome() }
    }
  }

  func crash(_ host: Host, cutsPower: Bool) {
    host.stop(cutsPower: cutsPower)
    count(cutsPower ? "power cuts" : "kills")
    after(random.ticks(options.isHot ? 0.1...3 : 2...60)) { if !host.isUp { host.start() } }
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
    count("partitions")
    after(random.ticks(5...80)) { [unowned self] in cuts.subtract(pairs) }
    if now < 500 { after(random.ticks(15...120)) { [unowned self] in cutSome() } }
  }

  // MARK: Clients

  private func startClients() {
    for _ in 0..<options.clientCount {
      let left = options.operationsEach
      after(random.ticks(0...30)) { [unowned self] in SimulatedClient(self).act(left) }
    }
  }

  // MARK: The end

  func printHistory() {
    print(options)
    for operation in history {
      print(
        "  key \(operation.key) \(operation.kind) \(operation.value): \(operation.begun) to \(operation.ended) \(operation.result)"
      )
    }
  }

  private func verdict() -> String? {
    for (index, key) in keyList.enumerated() {
      guard Checker(history.filter { $0.key == index }).isLinearizable else {
        return "the history of key \(key) is not linearizable"
      }
    }
    return layoutDriver.unfinished
  }
}
