import KVCore

/// What should be decided next about the layout, as one host sees it: from the layout in force, from what its operator's
/// file asks for, and from what the others have told of themselves lately.
package struct LayoutPlan: Sendable {
  /// How many groups move at a time: those of a host that falls silent amid its move wait for it.
  package static let movingMax = 4
  /// How many times as many where there are copies: then no single host keeps them waiting.
  private static let copiedFactor = 4

  private let known: Layout?
  private let own: Hello
  /// By name, without this host.
  private let heard: [String: Hello]
  /// Listed hosts that have answered, but are of a version that knows no layout.
  private let older: Set<String>
  /// Disks of which nothing was heard for so long that nobody waits for them to get their copies; nil for all of which
  /// nothing is heard now.
  private let gone: Set<DiskID>?
  private let movingMax: Int
  private let digest: @Sendable ([UInt8]) -> [UInt8]

  /// `digest` is MD5 (RFC 1321), for what is drawn.
  package init(
    known: Layout?, own: Hello, heard: [Hello], older: Set<String> = [], gone: Set<DiskID>? = nil,
    movingMax: Int = Self.movingMax, digest: @escaping @Sendable ([UInt8]) -> [UInt8]
  ) {
    (self.older, self.gone) = (older, gone)
    self.movingMax = movingMax
    self.known = known
    self.own = own
    self.digest = digest
    // Where two disks go by one name, a member's word counts.
    let others = heard.filter { $0.name != own.name }.sorted { left, _ in known?.member(of: left.disk) != nil }
    self.heard = Dictionary(others.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Everybody who has been heard of, this host included.
  private var all: [Hello] { [own] + heard.values }

  private func hello(_ name: String) -> Hello? { name == own.name ? own : heard[name] }

  // MARK: The first layout

  /// The first list, where it is this host's turn to propose it and nothing stands against it.
  package var founding: MemberList? {
    guard known == nil, foundingObstacle == nil, own.wish.names.first == own.name else { return nil }
    let hellos = own.wish.names.compactMap(hello)
    // Values that were stored on one host before it had others are in its charge, and move from there.
    let holders = hellos.filter { $0.valueCount != 0 }
    let founders = holders.count == 1 && holders[0].strandedCount > 0 ? holders : hellos
    // By ranges, as values were stored before there was a layout; what else is wished is the first change.
    return MemberList(
      founders.enumerated().map { index, hello in
        LayoutMember(member: Member(UInt16(index + 1)), name: hello.name, disk: hello.disk)
        // What is there already is there once: more copies come with the next change.
      }, copies: holders.isEmpty ? own.wish.copies : 1)
  }

  /// Who must agree to the first layout.
  package var foundingHosts: [Hello] { own.wish.names.compactMap(hello) }

  /// What keeps the hosts from their first layout, in words. All that are listed must be there and of one mind: a host
  /// that only looks as if it were new may be the one that has the values.
  private var foundingObstacle: String? {
    guard own.wish.names.contains(own.name) else { return "\(own.name) is not in its own list" }
    if let unlisted { return unlisted }
    let missing = own.wish.names.filter { hello($0) == nil }
    let waits = [silence(missing.filter { !older.contains($0) }), age(missing.filter(older.contains))]
    if !missing.isEmpty { return waits.compactMap(\.self).joined(separator: "; ") }
    let hellos = own.wish.names.compactMap(hello)
    if let member = hellos.first(where: { $0.cluster != nil }) { return "\(member.name) belongs to a cluster already" }
    let others = hellos.filter { $0.wish != own.wish }.map(\.name)
    if !others.isEmpty { return "\(Self.listing(others)) \(others.count == 1 ? "lists" : "list") other hosts" }
    if let twin = twins(hellos) { return twin }
    let counting = hellos.filter { $0.valueCount == nil }.map(\.name)
    return counting.isEmpty ? nil : "\(Self.listing(counting)) still counting values"
  }

  /// Hosts that the list has lost while it alone said where values are. What they hold would be out of reach.
  private var unlisted: String? {
    let names = Set(own.wish.names.compactMap(hello).flatMap(\.unlisted)).subtracting(own.wish.names).sorted()
    guard !names.isEmpty else { return nil }
    return names.count == 1
      ? "\(names[0]), which is listed no more, may hold values: list it again until there is a layout"
      : "\(Self.listing(names)), which are listed no more, may hold values: list them again until there is a layout"
  }

  private func silence(_ names: [String]) -> String? {
    names.isEmpty ? nil : "no answer from \(Self.listing(names))"
  }

  private func age(_ names: [String]) -> String? {
    guard !names.isEmpty else { return nil }
    return Self.listing(names)
      + (names.count == 1
        ? " is of an older version that knows none; until it is upgraded, all hosts go by their lists"
        : " are of an older version that knows none; until they are upgraded, all hosts go by their lists")
  }

  /// Two hosts with one disk's id have the copy of one data directory.
  private func twins(_ hellos: [Hello]) -> String? {
    var owners: [DiskID: String] = [:]
    for hello in hellos {
      if let other = owners.updateValue(hello.name, forKey: hello.disk) {
        return "\(other) and \(hello.name) have copies of one data directory"
      }
    }
    return nil
  }

  // MARK: What follows a layout

  /// Whether this host is the one to propose what follows: of those members that are there, the first.
  package var isProposer: Bool {
    guard let known, let member = known.member(of: own.disk) else { return false }
    return !heard.values.contains { hello in
      known.member(of: hello.disk).map { $0 < member } ?? false
    }
  }

  /// What is to follow a layout, or nil where that is to stay.
  package func following(_ layout: Layout, _ ballot: Ballot) -> Layout? {
    guard let next = layout.next else {
      if let (member, disk) = substitute(layout) { return layout.substituting(member, by: disk, proposal: ballot) }
      return beginning(layout, ballot)
    }
    let old = layout.groups.indices.filter { layout.groups[$0].phase == .old }
    let moving = layout.groups.indices.filter { layout.groups[$0].phase == .moving }
    let arrived = moving.filter { isSynced($0, layout) }
    if !arrived.isEmpty { return layout.switching(arrived, proposal: ballot) }
    // A copy that a group has left on its way from a lost disk is the last one, and arrives first.
    if !moving.contains(where: { leavesLost($0, layout) }), let (member, disk) = substitute(layout) {
      return layout.substituting(member, by: disk, proposal: ballot)
    }
    if isTakenBack(layout) { return layout.reversing(proposal: ballot) }
    let room = (layout.hasCopies ? Self.copiedFactor * movingMax : movingMax) - moving.count
    guard room > 0 else { return nil }
    let leaving = Array(old.lazy.filter { Self.changesOwners($0, from: layout.current, to: next) }.prefix(room))
    if !leaving.isEmpty { return layout.moving(leaving, proposal: ballot) }
    // Those whose owners stay have nothing to move, and go last, all at once.
    if !old.isEmpty { return layout.moving(old, proposal: ballot) }
    return moving.isEmpty && isSwept(layout) ? layout.finished(proposal: ballot) : nil
  }

  /// Whether everybody has asked the new owners about what lies on its disk. Until then these remember what was deleted;
  /// afterwards they could not tell it from what they never had. Nobody waits so for a host that is not there.
  private func isSwept(_ layout: Layout) -> Bool {
    let hellos = layout.members.map { member in all.first { $0.disk == member.disk } }
    guard hellos.allSatisfy({ $0 != nil }) else { return true }
    return hellos.allSatisfy { $0?.version == layout.version && $0?.isSwept == true }
  }

  /// A host that was given up and is there again with a disk that is new to everybody. Where there are copies, a disk that
  /// begins with nothing must not count as one that has taken part in what was decided: it gets its values first.
  private func substitute(_ layout: Layout) -> (Member, DiskID)? {
    guard !layout.hasCopies else { return nil }
    for member in layout.members where isGivenUp(member, layout) && layout.lastMember.number < .max {
      guard let hello = hello(member.name), layout.member(of: hello.disk) == nil,
        hello.cluster.map({ $0 == layout.cluster }) ?? true,
        !all.contains(where: { $0.disk == hello.disk && $0 != hello })
      else { continue }
      return (member.member, hello.disk)
    }
    return nil
  }

  /// Whether a group moves from a host that was given up to one that was not.
  private func leavesLost(_ group: Int, _ layout: Layout) -> Bool {
    Self.exampleSlots(of: group, layout.current, layout.next).contains { slot in
      let view = layout.view(of: slot)
      return !layout.lost.isDisjoint(with: view.owners) && layout.lost.isDisjoint(with: view.nextOwners ?? [])
    }
  }

  /// What begins, where nothing is under way.
  private func beginning(_ layout: Layout, _ ballot: Ballot) -> Layout? {
    for wish in wishes where wish != layout.refused {
      if case .success(let list) = list(of: wish, layout), list != layout.current {
        return layout.changing(to: list, proposal: ballot)
      }
    }
    guard let refused = layout.refused else { return nil }
    let others = Set(all.filter { $0.wish != refused }.map(\.disk))
    return layout.current.isMajority(others, without: layout.lost) ? layout.acceptingWishes(proposal: ballot) : nil
  }

  /// Whether most of both lists' members want the one back from which the change began: as many as it takes to begin one,
  /// so that it is not turned round again.
  private func isTakenBack(_ layout: Layout) -> Bool {
    let present = layout.current.wish
    guard present != layout.next?.wish, present != layout.refused || layout.leadsIntoLoss, !layout.leadsAway else {
      return false
    }
    let wishing = Set(all.filter { $0.wish == present }.map(\.disk))
    return layout.isQuorum(wishing)
  }

  /// Whether enough of the new owners of each of its slots have all of a group: most of them, and of the rest those that
  /// are there, or will be back soon. What these miss only a repair would bring them, and until then the others' disks
  /// would be all there is.
  private func isSynced(_ group: Int, _ layout: Layout) -> Bool {
    let epoch = layout.groups[group].epoch
    let synced = all.filter { $0.synced.contains(SyncedGroup(group: UInt8(group), epoch: epoch)) }
      .compactMap { layout.member(of: $0.disk) }
    let absent = layout.members.filter { isGone($0, layout) }.map(\.member)
    return Self.exampleSlots(of: group, layout.current, layout.next).allSatisfy { slot in
      let view = layout.view(of: slot)
      guard let next = view.nextOwners, Set(next) != Set(view.owners) else { return true }
      return View.isMajority(synced, of: next) && next.allSatisfy { synced.contains($0) || absent.contains($0) }
    }
  }

  /// Whether nobody waits for a disk to get its copies.
  private func isGone(_ member: LayoutMember, _ layout: Layout) -> Bool {
    // Where its host is there with another disk, this one will not be back.
    if isGivenUp(member, layout) || hello(member.name).map({ $0.disk != member.disk }) ?? false { return true }
    return gone?.contains(member.disk) ?? !all.contains { $0.disk == member.disk }
  }

  private static func changesOwners(_ group: Int, from list: MemberList, to next: MemberList) -> Bool {
    if list.copies == 1, next.copies == 1 {
      return exampleSlots(of: group, list, next).contains {
        list.firstOwner(of: $0).member != next.firstOwner(of: $0).member
      }
    }
    return exampleSlots(of: group, list, next).contains { slot in
      let (owners, nextOwners) = (list.owners(of: slot), next.owners(of: slot))
      return owners != nextOwners && Set(owners) != Set(nextOwners)
    }
  }

  /// Slots of a group with all owners that it has by two lists: by ranges, those with the same first owners have the same
  /// others too, and lie side by side, so that a few stand for all.
  private static func exampleSlots(of group: Int, _ list: MemberList, _ next: MemberList?) -> [Slot] {
    var examples = [Slot(number: group << 8)]
    while let last = examples.last, let following = following(last, list, next), following.number >> 8 == group {
      examples.append(following)
    }
    return examples
  }

  /// The next slot that may have other owners by one of two lists.
  private static func following(_ slot: Slot, _ list: MemberList, _ next: MemberList?) -> Slot? {
    let following = [list.nextOwned(after: slot), next?.nextOwned(after: slot)].compactMap(\.?.number)
    return following.min().map { Slot(number: $0) }
  }

  /// The slots of a group.
  package static func slots(of group: Int) -> [Slot] { (0..<256).map { Slot(number: group << 8 | $0) } }

  // MARK: What is wished

  /// Why something that is wished does not happen.
  private struct Obstacle: Error {
    let text: String
  }

  /// What is wished, the wish of most first.
  private var wishes: [Wish] {
    Dictionary(grouping: all.map(\.wish)) { $0 }.values.sorted { $0.count > $1.count }.compactMap(\.first)
  }

  /// The list of a wish, if a majority of the members, and of the hosts that it names, have it.
  private func list(of wish: Wish, _ layout: Layout) -> Result<MemberList, Obstacle> {
    if let reason = replaced(layout) { return .failure(Obstacle(text: reason)) }
    let members = layout.current.members
    let lost = members.first { member in
      isGivenUp(member, layout) && wish.names.contains(member.name)
        && !(layout.hasCopies && hello(member.name).map { $0.disk != member.disk } ?? false)
    }
    if let lost {
      return .failure(Obstacle(text: Self.givenUp(lost.name)))
    }
    // A host that has come back with another disk is a change of its own.
    let isComplete = members.allSatisfy { member in hello(member.name).map { $0.disk == member.disk } ?? true }
    if isComplete, wish == layout.current.wish { return .success(layout.current) }
    let wishing = Set(all.filter { $0.wish == wish }.map(\.disk))
    guard layout.current.isMajority(wishing, without: layout.lost) else {
      return .failure(Obstacle(text: "most of \(Self.listing(members.map(\.name))) must list the same hosts"))
    }
    var disks: [DiskID] = []
    for name in wish.names {
      switch disk(of: name, layout) {
      case .success(let disk): disks.append(disk)
      case .failure(let obstacle): return .failure(obstacle)
      }
    }
    guard Set(disks).count == disks.count else {
      return .failure(Obstacle(text: twins(wish.names.compactMap(hello)) ?? "two hosts have one disk"))
    }
    guard disks.count <= Int(UInt16.max - layout.lastMember.number) else {
      return .failure(Obstacle(text: "no numbers are left for new disks"))
    }
    guard View.isMajority(wishing, of: disks) else {
      return .failure(Obstacle(text: "most of \(Self.listing(wish.names)) must list the same hosts"))
    }
    return .success(list(of: wish, on: disks, layout))
  }

  /// Which disk a wished host has.
  private func disk(of name: String, _ layout: Layout) -> Result<DiskID, Obstacle> {
    let member = layout.current.members.first { $0.name == name }
    guard let disk = hello(name)?.disk ?? member?.disk else {
      return .failure(Obstacle(text: "no answer from \(name)"))
    }
    if let cluster = hello(name)?.cluster, cluster != layout.cluster {
      return .failure(Obstacle(text: "\(name) belongs to another cluster"))
    }
    return .success(disk)
  }

  private static func givenUp(_ name: String) -> String {
    "\(name) was given up: take it out of [Peers], or start it with an empty data directory"
  }

  private func isGivenUp(_ member: LayoutMember, _ layout: Layout) -> Bool { layout.lost.contains(member.member) }

  /// A host whose disk is another than before. With one copy, what it held is gone.
  private func replaced(_ layout: Layout) -> String? {
    for member in layout.current.members where !isGivenUp(member, layout) {
      guard let hello = hello(member.name), hello.disk != member.disk, layout.current.copies == 1 else { continue }
      return "\(member.name) has another disk than before; mount that, or give up what was on it "
        + "(kvctl layout force --accept-loss \(member.name))"
    }
    return nil
  }

  /// Each disk keeps its number; a new one gets the next.
  private func list(of wish: Wish, on disks: [DiskID], _ layout: Layout) -> MemberList {
    var last = layout.lastMember.number
    let numbers = disks.map { disk in
      if let number = layout.member(of: disk) { return number }
      last += 1
      return Member(last)
    }
    return MemberList(wish, numbers: numbers, disks: disks, digest: digest)
  }

  // MARK: What is waited for

  /// What goes on, or what that waits for; nil where all is as wished.
  package var progress: LayoutProgress? {
    guard let known else {
      if own.wish.names.isEmpty { return nil }
      guard let obstacle = foundingObstacle else {
        return LayoutProgress(text: "the first layout is being decided", isWaiting: false)
      }
      return LayoutProgress(text: "no layout yet: \(obstacle)", isWaiting: true)
    }
    if known.next != nil, let reason = replaced(known) { return LayoutProgress(text: reason, isWaiting: true) }
    guard let next = known.next else {
      if own.wish == known.refused {
        return LayoutProgress(text: "the change that [Peers] asks for was called off: edit it", isWaiting: true)
      }
      guard case .failure(let obstacle) = list(of: own.wish, known) else { return nil }
      return LayoutProgress(text: "[Peers] differs from the layout in force: \(obstacle.text)", isWaiting: true)
    }
    if let lost = next.members.first(where: { isGivenUp($0, known) }) {
      return LayoutProgress(
        text: "\(lost.name) was given up while values moved to it: start it with an empty data directory, or go back "
          + "(kvctl layout cancel)", isWaiting: true)
    }
    let silent = known.members.filter { member in
      !isGivenUp(member, known) && !all.contains { $0.name == member.name }
    }
    let awaited = Set(silent.filter { known.current.copies == 1 || !isGone($0, known) }.map(\.name))
    let left = Set(silent.map(\.name)).subtracting(awaited)
    return LayoutProgress(
      text: change(from: known, to: next) + (awaited.isEmpty ? "" : ", waiting for \(Self.listing(awaited.sorted()))")
        + (left.isEmpty ? "" : ", without \(Self.listing(left.sorted())) for now"), isWaiting: !awaited.isEmpty)
  }

  /// What goes on, and how far it is.
  private func change(from known: Layout, to next: MemberList) -> String {
    let share = "\(known.movedGroupCount * 100 / known.groups.count) %"
    if isTakenBack(known) { return "taking back the move to \(Self.listing(next.members.map(\.name))): \(share)" }
    guard next.wish.hosts == known.current.wish.hosts, next.rule == known.current.rule else {
      return "moving to \(Self.listing(next.members.map(\.name))): \(share)"
    }
    let done = "\(known.movedGroupCount) of \(known.groups.count) groups"
    if next.copies != known.current.copies {
      return "going from \(Counted(known.current.copies, "copy", "copies")) of each value to \(next.copies): \(done)"
    }
    let replaced = next.members.filter { !known.current.members.map(\.disk).contains($0.disk) }.map(\.name)
    return "\(Self.listing(replaced)) \(replaced.count == 1 ? "has a new disk" : "have new disks"): "
      + "copies are being made, \(done)"
  }

  private static let namesMax = 8

  private static func listing(_ names: [String]) -> String {
    guard names.count > namesMax else { return names.joined(separator: ", ") }
    return names.prefix(namesMax).joined(separator: ", ") + " and \(names.count - namesMax) more"
  }
}

/// How a change of the layout gets on, in words.
package struct LayoutProgress: Hashable, Sendable {
  package var text: String
  /// Whether nothing goes on before somebody does something.
  package var isWaiting: Bool
  /// How long it will still take, as far as can be told.
  package var secondsLeft: Int?

  package init(text: String, isWaiting: Bool) {
    self.text = text
    self.isWaiting = isWaiting
  }
}
