import KVCluster
import KVCore

/// Has the hosts do about the layout what nodes do: they tell each other what their operators' files ask for, agree on the
/// first layout, and follow the plans that nodes make.
final class PlanDriver: Government {
  private unowned let world: World
  private let rules: LayoutRules
  /// What all files will ask for in the end.
  private var target: Wish
  /// A host has one round under way at a time.
  private var proposingUntil: [Double]
  private var highest: [Ballot]
  private var decisions = Decisions()
  private var lastCluster: UInt64 = 0

  init(_ world: World, rules: LayoutRules) {
    self.world = world
    self.rules = rules
    proposingUntil = world.hosts.map { _ in 0 }
    highest = world.hosts.map { _ in .none }
    target = Self.firstWish(&world.network.random, world.options.copies)
    for host in world.hosts {
      // Operators begin with files that differ.
      let isOther = world.network.random.chance(world.options.differingFiles)
      host.planning = Planning(isOther ? Self.firstWish(&world.network.random, world.options.copies) : target)
    }
  }

  /// Any two lists have two hosts in common, of which one disk may be lost: two clusters with nothing in common would be
  /// what was asked for.
  private static func firstWish(_ random: inout Randomness, _ copies: Int) -> Wish {
    var hosts = [0, 1, 2 + random.below(3)]
    let others = (2..<5).filter { !hosts.contains($0) }
    if random.chance(0.3) { hosts.append(random.pick(others)) }
    if random.chance(0.5) { random.shuffle(&hosts) }
    return Wish(names: hosts.map(String.init), copies: copies)
  }

  func start() {
    for host in world.hosts { tick(host) }
    if let ticks = world.options.wishTicks { world.again(ticks) { [self] in wishSomething() } }
  }

  // MARK: What has come of it

  var copies: Int { target.copies }
  var contradiction: String? { decisions.contradiction }

  var isAtRest: Bool { unrest == nil }

  var unrest: String? {
    if let contradiction { return contradiction }
    guard let newest = world.newestLayout else { return "no layout" }
    let list = newest.current
    if newest.next != nil { return "version \(newest.version) is still changing" }
    if list.members.map(\.name) != target.names || list.copies != min(target.copies, target.names.count) {
      return "\(target.names.joined(separator: " ")) is wished, \(words(of: newest)) is there"
    }
    if list.members.contains(where: { world.hosts[Int($0.name) ?? 0].disk.id != $0.disk }) {
      return "a disk is missing in \(words(of: newest))"
    }
    return world.hosts.allSatisfy { $0.known?.version == newest.version } ? nil : "a host has an old layout"
  }

  private func words(of layout: Layout) -> String {
    let members = layout.current.members.map { "\($0.name) with disk \($0.disk.low)" }.joined(separator: ", ")
    return "version \(layout.version) of \(members), \(layout.current.copies) copies, where disks are "
      + world.disks.map { String($0.low) }.joined(separator: " ")
  }

  /// Somebody has accepted a first layout with a disk that is gone, and nobody knows whether it was decided.
  var isHopeless: Bool {
    world.newestLayout == nil && hasAcceptedLostDisk
  }

  /// Whether a layout with a disk that is gone may still be decided. That disk counts as lost as one of a decided layout
  /// does.
  private var hasAcceptedLostDisk: Bool {
    let disks = world.disks
    return world.hosts.contains { host in
      host.layoutAcceptor.record.layout?.members.contains { !disks.contains($0.disk) } ?? false
    }
  }

  // MARK: Operators

  private func wishSomething() {
    let newest = world.newestLayout
    if let newest, world.isFull(newest), !hasAcceptedLostDisk { world.isWhole = true }
    if world.network.random.chance(world.options.losses) { return loseDisk(newest) }
    world.count(.wishes)
    if let newest, newest.next == nil, world.hosts.allSatisfy({ $0.known != nil }) {
      target = following(newest)
    }
    for host in world.hosts where world.network.random.chance(0.8) {
      world.after(world.network.random.ticks(0...40)) { [self] in host.planning?.wish = target }
    }
  }

  private func following(_ layout: Layout) -> Wish {
    var names = target.names
    let spare = world.hosts.map { String($0.index) }.filter { !names.contains($0) }
    if let other = spare.first, world.network.random.chance(0.7) {
      names[world.network.random.below(names.count)] = other
    } else if names.count > 3 {
      names.remove(at: world.network.random.below(names.count))
    } else {
      names += spare.prefix(1)
    }
    return Wish(names: names, copies: target.copies)
  }

  private func loseDisk(_ newest: Layout?) {
    let lists = newest?.lists ?? []
    guard world.isWhole, target.copies >= 3, lists.allSatisfy({ $0.copies >= 3 }), newest != nil || !world.options.isOld
    else { return }
    let host = world.network.random.pick(world.hosts)
    guard world.outlivesDisk(of: host) else { return }
    world.isWhole = false
    world.loseDisk(of: host)
  }

  // MARK: Hosts

  private func tick(_ host: Host) {
    world.after(world.network.random.ticks(6...16)) { [self] in
      if world.isCalm { host.planning?.wish = target }
      if host.isUp {
        for target in others(host) { exchange(host, target) }
        propose(host)
        syncGroups(host)
      }
      tick(host)
    }
  }

  /// Those that its file or its layout names.
  private func others(_ host: Host) -> [Int] {
    let names = (host.planning?.wish.names ?? []) + (host.known?.layout.members.map(\.name) ?? [])
    return Set(names.compactMap { Int($0) }).subtracting([host.index]).sorted()
  }

  private func exchange(_ host: Host, _ target: Int) {
    let (world, hello) = (world, hello(host))
    world.send(from: host, to: target) { [self] other in
      other.planning?.hear(hello, at: world.now)
      let own = self.hello(other)
      let isBehind = hello.version < own.version && (hello.cluster == nil || hello.cluster == own.cluster)
      let known = isBehind ? other.known : nil
      world.send(from: other, to: host.index) { host in
        host.planning?.hear(own, at: world.now)
        if let known { host.adopt(known) }
      }
    }
  }

  private func hello(_ host: Host) -> Hello {
    let (known, name) = (host.known?.layout, String(host.index))
    let wish = host.planning?.wish ?? target
    let placement = Placement(nodeCount: wish.names.count)
    let held = world.slots.indices.filter { host.disk.seen.files[$0] != nil }
    let stranded = held.count { wish.names[placement.owner(of: world.slots[$0])] != name }
    return Hello(
      name: name, disk: host.disk.id, process: UInt64(host.boot), cluster: known?.cluster, version: known?.version ?? 0,
      wish: wish, valueCount: UInt64(held.count), strandedCount: UInt64(stranded),
      synced: (host.planning?.synced ?? []).filter { known?.groups[Int($0.group)].epoch == $0.epoch }
        .sorted { $0.group < $1.group })
  }

  // MARK: Rounds

  private func propose(_ host: Host) {
    guard proposingUntil[host.index] <= world.now else { return }
    let plan = LayoutPlan(
      known: host.known?.layout, own: hello(host), heard: host.planning?.hellos(at: world.now) ?? [],
      movingMax: Layout.groupCount, digest: { $0 })
    if let known = host.known?.layout {
      guard plan.isProposer, plan.following(known, .none) != nil else { return }
      begin(host) { [self] ballot in
        let round = LayoutRound(at: ballot, from: known, rules: rules) { plan.following($0, $1) }
        LayoutRun(host, round, ballot) { [self] in end(host, $0, $1) }.start()
      }
    } else if let list = plan.founding {
      let founders = plan.foundingHosts
      lastCluster += 1
      let cluster = ClusterID(high: 1, low: lastCluster)
      begin(host) { [self] ballot in
        let layout = Layout(first: list, of: cluster, proposal: ballot)
        let round = FoundingRound(at: ballot, for: layout, askedOf: founders.map(\.disk), rules: rules)
        FoundingRun(host, round, ballot, askedOf: founders.compactMap { Int($0.name) }) { [self] in
          end(host, $0, $1)
        }.start()
      }
    }
  }

  private func begin(_ host: Host, _ body: @escaping (Ballot) -> Void) {
    proposingUntil[host.index] = world.now + 40
    host.ballot(above: highest[host.index], then: body)
  }

  private func end(_ host: Host, _ layout: Layout?, _ above: Ballot) {
    proposingUntil[host.index] = 0
    highest[host.index] = max(highest[host.index], above)
    guard let layout else { return }
    decisions.add(layout)
    world.count(.layouts)
    if layout.version == 1 { world.count(.foundings) }
    let known = DecidedLayout(layout, world.slots)
    host.adopt(known)
    for target in others(host) { world.send(from: host, to: target) { $0.adopt(known) } }
  }

  // MARK: Moving groups

  private func syncGroups(_ host: Host) {
    guard let known = host.known, let member = host.member, known.layout.next != nil else { return }
    for group in known.layout.groups.indices where known.layout.groups[group].phase == .moving {
      let goal = SyncedGroup(group: UInt8(group), epoch: known.layout.groups[group].epoch)
      if host.planning?.synced.contains(goal) ?? true { continue }
      guard world.groupNumbers.contains(group) else {
        host.planning?.sync(goal)
        continue
      }
      guard host.planning?.begins(goal, at: world.now) == true else { continue }
      let boot = host.boot
      GroupSync(host, known, member, group) { [self] in
        guard host.isUp(since: boot) else { return }
        host.planning?.sync(goal)
        world.count(.syncedGroups)
      }.start()
    }
  }
}

extension Wish {
  /// Of hosts in order, by ranges.
  fileprivate init(names: [String], copies: Int) {
    self.init(hosts: names.map { WishedHost(name: $0) }, copies: copies, rule: .ranges)
  }
}
