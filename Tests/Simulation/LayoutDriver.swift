import KVCluster
import KVCore

/// What an operator wishes, and how the hosts get there: rounds about the layout, and groups that move.
final class LayoutDriver: Government {
  /// A wish: which hosts, how many copies.
  struct Wish: Equatable {
    var hosts: [Int]
    var copies: Int
  }

  private struct Sync: Hashable {
    let group: Int
    let epoch: UInt64
  }

  private unowned let world: World
  private var wish: Wish
  private var synced: [Sync: Set<Member>] = [:]
  private var isCancelling = false
  /// The list from which all go back to the one before, once something has arrived there.
  private var calledOff: MemberList?
  /// A host has one round under way at a time.
  private var proposingUntil: [Double]
  private var highest = Ballot.none
  private var decisions = Decisions()

  init(_ world: World) {
    self.world = world
    proposingUntil = world.hosts.map { _ in 0 }
    wish = Wish(hosts: Array(0..<max(world.options.copies, 3)), copies: world.options.copies)
  }

  func start() {
    // Where nobody wishes for anything there is nothing to decide.
    guard let ticks = world.options.wishTicks else { return }
    for host in world.hosts { tick(host) }
    world.again(ticks) { [self] in wishSomething() }
  }

  var copies: Int { wish.copies }
  var contradiction: String? { decisions.contradiction }
  var isHopeless: Bool { false }

  var isAtRest: Bool {
    guard contradiction == nil, let newest = world.newestLayout, newest.next == nil else { return false }
    return Self.list(wish, world.disks, newest) == newest.current
      && world.hosts.allSatisfy { $0.known?.version == newest.version }
  }

  var unrest: String? {
    if isAtRest { return nil }
    if let contradiction { return contradiction }
    guard let newest = world.newestLayout else { return "no layout" }
    if newest.next != nil { return unfinished(newest) }
    if Self.list(wish, world.disks, newest) != newest.current { return "a wish is not fulfilled" }
    return "a host has an old layout"
  }

  private func unfinished(_ newest: Layout) -> String {
    let groups = world.groupNumbers.map { group in
      let state = newest.groups[group]
      let members = synced[Sync(group: group, epoch: state.epoch)] ?? []
      return "group \(group) \(state.phase), synced at \(members.map(\.number).sorted())"
    }
    let lists = newest.lists.map { $0.members.map { "\($0.member.number)@\($0.name)" }.joined(separator: " ") }
    return "version \(newest.version) is still changing from [\(lists[0])] to [\(lists[1])]: "
      + groups.joined(separator: "; ")
  }

  // MARK: Wishes

  private func wishSomething() {
    guard let newest = world.newestLayout(where: \.isUp) else { return }
    if newest.next == nil {
      (isCancelling, calledOff) = (false, nil)
      wishAnew(newest)
    } else if world.network.random.chance(0.2) {
      if newest.movedGroupCount > 0, world.network.random.chance(0.5) {
        calledOff = newest.next
      } else {
        isCancelling = true
      }
    }
  }

  private func wishAnew(_ layout: Layout) {
    if world.isFull(layout) { world.isWhole = true }
    if wish.copies >= 3, layout.current.copies >= 3, world.isWhole, world.network.random.chance(world.options.losses) {
      return loseDisk(of: world.network.random.pick(layout.current.members))
    }
    var hosts = wish.hosts
    world.count(.wishes)
    if world.network.random.chance(world.options.exchangesOfTwo) {
      for _ in 0..<2 { exchange(&hosts) }
    } else {
      switch world.network.random.below(4) {
      case 0 where hosts.count < world.hosts.count:
        hosts.insert(spare(hosts), at: world.network.random.below(hosts.count + 1))
      case 1 where hosts.count > max(3, wish.copies): hosts.remove(at: world.network.random.below(hosts.count))
      case 2 where world.options.setting == .mixed && world.isWhole: wish.copies = world.network.random.pick([1, 3, 3])
      default: exchange(&hosts)
      }
    }
    wish.hosts = hosts
  }

  private func exchange(_ hosts: inout [Int]) {
    if hosts.count < world.hosts.count { hosts[world.network.random.below(hosts.count)] = spare(hosts) }
  }

  private func spare(_ hosts: [Int]) -> Int {
    world.network.random.pick(world.hosts.indices.filter { !hosts.contains($0) })
  }

  /// A disk is lost. The next one is not before all is whole again.
  private func loseDisk(of member: LayoutMember) {
    guard let host = world.hosts.first(where: { $0.disk.id == member.disk }), world.outlivesDisk(of: host) else {
      return
    }
    world.isWhole = false
    world.loseDisk(of: host)
  }

  // MARK: Rounds about the layout

  private func tick(_ host: Host) {
    world.after(world.network.random.ticks(8...30)) { [self] in
      if host.isUp, host.known != nil {
        // One proposes; the others now and then, in case it is gone without their knowledge.
        let isFirst = !world.hosts.contains { $0.isUp && $0.index < host.index }
        if isFirst || (!world.isCalm && world.network.random.chance(0.1)) { advance(host) }
        syncGroups(host)
      }
      tick(host)
    }
    if !world.isWhole, host.index == 0, let layout = host.known?.layout, world.isFull(layout) { world.isWhole = true }
    if world.isCalm { (isCancelling, calledOff) = (false, nil) }
    // A layout that a host missed reaches it with the next exchange.
    guard let known = host.known, host.isUp, world.network.random.chance(0.5) else { return }
    world.send(from: host, to: world.network.random.below(world.hosts.count)) { $0.adopt(known) }
  }

  private func advance(_ host: Host) {
    guard let known = host.known?.layout, proposingUntil[host.index] <= world.now else { return }
    let (disks, wish, synced, isCancelling, calledOff) = (world.disks, wish, synced, isCancelling, calledOff)
    let keySlots = world.slots
    let switchesEarly = !world.options.rules.contains(.switchesWhenSynced)
    let propose: @Sendable (Layout, Ballot) -> Layout? = { layout, ballot in
      Self.following(
        layout, ballot, wish, disks, keySlots, isCancelling: isCancelling, calledOff: calledOff,
        isSynced: { switchesEarly || Self.isSynced($0, layout, keySlots, synced) })
    }
    guard propose(known, highest) != nil else { return }
    proposingUntil[host.index] = world.now + 40
    host.ballot(above: highest) { [self] ballot in
      highest = max(highest, ballot)
      LayoutRun(host, LayoutRound(at: ballot, from: known, propose: propose), ballot) { [self] layout, _ in
        proposingUntil[host.index] = 0
        if let layout { decide(layout, host) }
      }.start()
    }
  }

  private func decide(_ layout: Layout, _ host: Host) {
    decisions.add(layout)
    world.count(.layouts)
    if layout.lists.count == 2, layout.predecessors == layout.lists.reversed() { world.count(.reversals) }
    let known = DecidedLayout(layout, world.slots)
    host.adopt(known)
    for target in world.hosts.indices where world.network.random.chance(world.options.hearing) {
      world.send(from: host, to: target) { $0.adopt(known) }
    }
  }

  private static func following(
    _ layout: Layout, _ ballot: Ballot, _ wish: Wish, _ disks: [DiskID], _ keySlots: [Slot], isCancelling: Bool,
    calledOff: MemberList?, isSynced: (Int) -> Bool
  ) -> Layout? {
    guard let next = layout.next else {
      let list = list(wish, disks, layout)
      return list == layout.current ? nil : layout.changing(to: list, proposal: ballot)
    }
    if next == calledOff, layout.movedGroupCount > 0 { return layout.reversing(proposal: ballot) }
    // A change towards a disk that is lost cannot end.
    let isCancelling = isCancelling || next.members.contains { !disks.contains($0.disk) }
    let inUse = keySlots.map(\.group)
    var (moving, old): ([Int], [Int]) = ([], [])
    for group in layout.groups.indices {
      switch layout.groups[group].phase {
      case .moving: moving.append(group)
      case .old: old.append(group)
      case .new: break
      }
    }
    if isCancelling, !moving.isEmpty, moving.count + old.count == layout.groups.count {
      return layout.cancelling(moving, proposal: ballot)
    }
    if isCancelling, moving.isEmpty, old.count == layout.groups.count { return layout.finished(proposal: ballot) }
    let arrived = moving.filter { !inUse.contains($0) || isSynced($0) }
    if !arrived.isEmpty { return layout.switching(arrived, proposal: ballot) }
    // The groups without keys go first, and then one at a time.
    if moving.isEmpty, let group = old.first(where: { inUse.contains($0) }) {
      return layout.moving(old.filter { !inUse.contains($0) } + [group], proposal: ballot)
    }
    if moving.isEmpty, !old.isEmpty { return layout.moving(old, proposal: ballot) }
    return moving.isEmpty ? layout.finished(proposal: ballot) : nil
  }

  /// The wished list, in which each disk keeps its number and a new one gets the next.
  private static func list(_ wish: Wish, _ disks: [DiskID], _ layout: Layout) -> MemberList {
    var last = layout.lastMember.number
    return MemberList(
      wish.hosts.map { index in
        if let known = layout.current.members.first(where: { $0.disk == disks[index] }) { return known }
        last += 1
        return LayoutMember(member: Member(last), name: String(index), disk: disks[index])
      }, copies: wish.copies)
  }

  private static func isSynced(_ group: Int, _ layout: Layout, _ slots: [Slot], _ synced: [Sync: Set<Member>]) -> Bool {
    let members = synced[Sync(group: group, epoch: layout.groups[group].epoch)] ?? []
    return slots.filter { $0.group == group }.allSatisfy {
      View.isMajority(members, of: layout.view(of: $0).nextOwners ?? [])
    }
  }

  // MARK: Moving groups

  private func syncGroups(_ host: Host) {
    guard let known = host.known, let member = host.member else { return }
    for group in world.groupNumbers where known.layout.groups[group].phase == .moving {
      let sync = Sync(group: group, epoch: known.layout.groups[group].epoch)
      if synced[sync]?.contains(member) != true {
        GroupSync(host, known, member, group) { [self] in
          synced[sync, default: []].insert(member)
          world.count(.syncedGroups)
        }.start()
      }
    }
  }
}
