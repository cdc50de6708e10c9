import KVCluster
import KVCore

/// What an operator wishes, and how the hosts get there: rounds about the layout, and groups that move.
final class LayoutDriver {
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
  /// A host has one round under way at a time.
  private var proposingUntil: [Int: Double] = [:]
  private var highest = Ballot.none
  /// Every layout that was told to be decided, by version.
  private var decided: [UInt64: Layout] = [:]
  private(set) var contradiction: String?

  init(_ world: World) {
    self.world = world
    wish = Wish(hosts: Array(0..<max(world.options.copies, 3)), copies: world.options.copies)
  }

  func start() {
    for host in world.hosts { tick(host) }
    if world.options.hasChanges { world.after(world.random.ticks(10...80)) { [self] in wishSomething() } }
  }

  /// What is wrong at the end, where all faults are long over.
  var unfinished: String? {
    if let contradiction { return contradiction }
    guard let newest = world.hosts.compactMap(\.layout).max(by: { $0.version < $1.version }) else { return "no layout" }
    guard newest.next != nil else { return nil }
    let groups = Set(world.keys.values.map(\.group)).sorted().map { group in
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
    if let newest = world.hosts.filter(\.isUp).compactMap(\.layout).max(by: { $0.version < $1.version }) {
      if newest.next == nil {
        isCancelling = false
        wishAnew(newest)
      } else if world.random.chance(0.2) {
        isCancelling = true
      }
    }
    if world.now < 500 { world.after(world.random.ticks(20...100)) { [self] in wishSomething() } }
  }

  private func wishAnew(_ layout: Layout) {
    if wish.copies >= 3, layout.current.copies >= 3, isFull(layout), world.random.chance(0.35) { return wipe(layout) }
    var hosts = wish.hosts
    switch world.random.below(4) {
    case 0 where hosts.count < world.hosts.count: hosts.insert(spare(hosts), at: world.random.below(hosts.count + 1))
    case 1 where hosts.count > max(3, wish.copies): hosts.remove(at: world.random.below(hosts.count))
    case 2: wish.copies = world.random.pick([1, 3, 3])
    default:
      let place = world.random.below(hosts.count)
      if hosts.count < world.hosts.count { hosts[place] = spare(hosts) }
    }
    wish.hosts = hosts
    world.count("wishes")
  }

  private func spare(_ hosts: [Int]) -> Int { world.random.pick(world.hosts.indices.filter { !hosts.contains($0) }) }

  /// Whether a disk may be lost: all owners of all keys hold the same, with its bytes, on disk.
  private func isFull(_ layout: Layout) -> Bool {
    world.keys.allSatisfy { key, slot in
      let states = layout.view(of: slot).owners.map { owner -> Held? in
        guard let index = layout.hostIndex(of: owner), layout.member(of: world.hosts[index].disk.id) == owner else {
          return Held(
            ballot: .last(of: UInt64(owner.number)),
            descriptor: Descriptor(
              upload: UploadID(member: owner, counter: 0), kind: .value, valueBytes: 0, committedAtNanoseconds: 0,
              checksum: ValueChecksum(high: 0, low: 0)), hasBytes: false)
        }
        return world.hosts[index].disk.durable.files[key]
      }
      return Set(states).count == 1 && states[0]?.hasBytes ?? true
    }
  }

  private func wipe(_ layout: Layout) {
    let host = world.hosts[world.random.pick(wish.hosts)]
    let isRenumbered = world.options.rules.contains(.renumbersDisks)
    world.count("wiped disks")
    let id = isRenumbered ? world.newDisk() : host.disk.id
    host.stop(cutsPower: false)
    host.replaceDisk(Disk(id))
    host.start()
  }

  // MARK: Rounds about the layout

  private func tick(_ host: Host) {
    world.after(world.random.ticks(8...30)) { [self] in
      if host.isUp, host.layout != nil {
        // One proposes; the others now and then, in case it is gone without their knowledge.
        let isFirst = !world.hosts.contains { $0.isUp && $0.index < host.index }
        if isFirst || (!world.isCalm && world.random.chance(0.1)) { advance(host) }
        syncGroups(host)
      }
      tick(host)
    }
    if !host.isUp, world.isCalm { host.start() }
    if world.isCalm { isCancelling = false }
    // A layout that a host missed reaches it with the next exchange.
    guard let layout = host.layout, host.isUp, world.random.chance(0.5) else { return }
    world.send(from: host, to: world.random.below(world.hosts.count)) { $0.adopt(layout) }
  }

  private func advance(_ host: Host) {
    guard let known = host.layout else { return }
    let (disks, wish, synced, isCancelling) = (world.hosts.map(\.disk.id), wish, synced, isCancelling)
    let keySlots = Array(world.keys.values)
    let switchesEarly = !world.options.rules.contains(.switchesWhenSynced)
    let propose: @Sendable (Layout, Ballot) -> Layout? = { layout, ballot in
      Self.following(
        layout, ballot, wish, disks, keySlots, isCancelling: isCancelling,
        isSynced: { switchesEarly || Self.isSynced($0, layout, keySlots, synced) })
    }
    guard propose(known, highest) != nil, proposingUntil[host.index] ?? 0 <= world.now else { return }
    proposingUntil[host.index] = world.now + 40
    host.ballot(above: highest) { [self] ballot in
      highest = max(highest, ballot)
      LayoutRun(host, LayoutRound(at: ballot, from: known, propose: propose), ballot) { [self] layout in
        proposingUntil[host.index] = nil
        if let layout { decide(layout, host) }
      }.start()
    }
  }

  private func decide(_ layout: Layout, _ host: Host) {
    if let other = decided[layout.version], other != layout {
      contradiction = "two layouts of version \(layout.version) were decided"
    }
    decided[layout.version] = layout
    world.count("layouts")
    host.adopt(layout)
    for target in world.hosts.indices where world.random.chance(0.8) {
      world.send(from: host, to: target) { $0.adopt(layout) }
    }
  }

  private static func following(
    _ layout: Layout, _ ballot: Ballot, _ wish: Wish, _ disks: [DiskID], _ keySlots: [Slot], isCancelling: Bool,
    isSynced: (Int) -> Bool
  ) -> Layout? {
    guard let next = layout.next else {
      let list = list(wish, disks, layout)
      return list == layout.current ? nil : layout.changing(to: list, proposal: ballot)
    }
    // A change towards a disk that is lost cannot end.
    let isCancelling = isCancelling || next.members.contains { !disks.contains($0.disk) }
    let inUse = Set(keySlots.map(\.group))
    let moving = layout.groups.indices.filter { layout.groups[$0].phase == .moving }
    let old = layout.groups.indices.filter { layout.groups[$0].phase == .old }
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
    guard let layout = host.layout, let member = host.member else { return }
    for group in Set(world.keys.values.map(\.group)).sorted() where layout.groups[group].phase == .moving {
      let sync = Sync(group: group, epoch: layout.groups[group].epoch)
      if synced[sync]?.contains(member) != true {
        GroupSync(host, layout, member, group) { [self] in
          synced[sync, default: []].insert(member)
          world.count("synced groups")
        }.start()
      }
    }
  }
}

/// Carries a round about the layout over the network.
final class LayoutRun {
  private let host: Host
  private let ballot: Ballot
  private var round: LayoutRound
  private let ended: (Layout?) -> Void

  init(_ host: Host, _ round: LayoutRound, _ ballot: Ballot, ended: @escaping (Layout?) -> Void) {
    self.host = host
    self.round = round
    self.ballot = ballot
    self.ended = ended
  }

  func start() {
    perform(round.start())
    host.world.after(40, host.whileAlive { [self] in perform(round.step(.timedOut)) })
  }

  private func perform(_ effects: [LayoutRound.Effect]) {
    let ballot = ballot
    for effect in effects {
      switch effect {
      case .prepare(let members): ask(members) { $0.prepareLayout(ballot) }
      case .accept(let layout, let members): ask(members) { $0.acceptLayout(ballot, layout) }
      case .decided(let layout): ended(layout)
      case .settled, .failed: ended(nil)
      }
    }
  }

  private func ask(_ members: [LayoutMember], _ body: @escaping (Host) -> LayoutAnswer) {
    let world = host.world
    let boot = host.boot
    for member in members {
      guard let target = Int(member.name) else { continue }
      world.send(from: host, to: target) { [self] voter in
        let answer = body(voter)
        let disk = voter.disk.id
        world.send(from: voter, to: host.index) { [self] _ in
          if host.boot == boot { perform(round.step(.answer(answer, from: disk))) }
        }
      }
    }
  }
}

/// Brings a new owner's group up to what its old owners hold, key by key.
final class GroupSync {
  private let host: Host
  private let world: World
  private let layout: Layout
  private let member: Member
  private let keys: [Key]
  private let done: () -> Void
  private var floor = Ballot.none

  init(_ host: Host, _ layout: Layout, _ member: Member, _ group: Int, done: @escaping () -> Void) {
    self.host = host
    world = host.world
    self.layout = layout
    self.member = member
    self.done = done
    keys = world.keyList.filter { key in
      guard let slot = host.world.keys[key], slot.group == group else { return false }
      return layout.view(of: slot).nextOwners?.contains(member) == true
    }
  }

  func start() { next(keys[...]) }

  private func next(_ left: ArraySlice<Key>) {
    guard let key = left.first, let slot = world.keys[key] else { return done() }
    let view = layout.view(of: slot)
    // All answers are from this epoch: no older round can come to a decision without these owners any more.
    let old = View(epoch: view.epoch, owners: view.owners)
    ReadingRun(host, key, old) { [self] outcome, _ in
      switch outcome {
      case .chosen(let held, _, _): take(held, key) { [self] in next(left.dropFirst()) }
      case .unsettled: settle(key) { [self] in next(left.dropFirst()) }
      default: break
      }
    }?.start()
  }

  /// The round's quorum may be without this owner, so it reads what was decided.
  private func settle(_ key: Key, _ then: @escaping () -> Void) {
    RoundRun(host, key, .certainty) { [self] outcome, _ in
      guard case .chosen = outcome else { return }
      ReadingRun(host, key) { [self] outcome, _ in
        if case .chosen(let held, _, _) = outcome { take(held, key, then) }
      }?.start()
    }?.start()
  }

  private func take(_ held: Held?, _ key: Key, tries: Int = 2, _ then: @escaping () -> Void) {
    guard let held else { return then() }
    host.handle(.learn(held.ballot, held.descriptor), key, from: layout) { [self] reply in
      switch reply {
      case .answer(.done, _): then()
      case .answer(.lacksBytes, _) where tries > 0:
        var isFetched = false
        Fetch(world, key, held.descriptor.upload, to: host.index, askedBy: host) { [self] in
          if !isFetched { take(held, key, tries: tries - 1, then) }
          isFetched = true
        }.start()
      case .answer(.outbid, _) where tries > 0: settle(key, then)
      default: break
      }
    }
  }
}
