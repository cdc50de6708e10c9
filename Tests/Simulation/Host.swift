import KVCluster
import KVCore

/// What comes back from an owner.
enum Reply {
  case answer(RegisterAnswer, member: Member)
  /// The owner goes by a newer layout.
  case layout(DecidedLayout)
}

/// A host of the simulated cluster: a disk, and a process while it is up.
final class Host {
  let index: Int
  let world: World
  var disk: Disk
  private(set) var isUp = false
  private(set) var boot = 0
  private(set) var staged: Set<UploadID> = []
  /// Whether a failed sync has left the disk in doubt, so that it must be mounted anew.
  private(set) var needsReboot = false
  private(set) var layoutAcceptor = LayoutAcceptor(.init(), horizon: 0)
  private var acceptor = Acceptor(horizon: 0)
  private var floors = Floors(horizon: 0)
  private var uploadCounter: UInt64 = 0
  /// What is asked about a key, perhaps at a time when something else is being done about it.
  private struct Asked {
    let inquiry: Inquiry
    /// By which number the inquiry meant this host; nil where it came from within.
    let member: Member?
  }
  private var isBusy: [Bool]
  private var waiting: [[Asked]]
  private let skew: Double
  /// What it has besides where hosts plan as nodes do.
  var planning: Planning?

  init(_ index: Int, _ world: World, _ disk: Disk, skew: Double) {
    self.index = index
    self.world = world
    self.disk = disk
    self.skew = skew
    isBusy = Array(repeating: false, count: world.keys.count)
    waiting = Array(repeating: [], count: world.keys.count)
  }

  func isUp(since boot: Int) -> Bool { isUp && self.boot == boot }

  /// The layout that it goes by, and what follows from it.
  private(set) var known: DecidedLayout?
  private(set) var member: Member?

  // MARK: Life

  func start() {
    let options = world.options
    isUp = true
    needsReboot = false
    boot += 1
    staged = []
    for key in isBusy.indices { (isBusy[key], waiting[key]) = (false, []) }
    if options.rules.contains(.syncsAtStart) { disk.syncAll() }
    acceptor = Acceptor(
      horizon: disk.seen.horizon, rules: options.rules, promisesMax: options.promisesMax, horizonStep: 10)
    floors = Floors(horizon: disk.seen.horizon, rules: options.rules)
    layoutAcceptor = LayoutAcceptor(disk.seen.layout, horizon: disk.seen.horizon)
    planning?.restart()
    let decided = layoutAcceptor.record.known
    if decided?.version != known?.version { go(by: decided.map { DecidedLayout($0, world.slots) }) }
  }

  /// Ends in good order, as a process does that is asked to.
  func close() {
    isUp = false
    if needsReboot { disk.cutPower(&world.network.random) } else { disk.close(acceptor.highest) }
  }

  func stop(cutsPower: Bool) {
    isUp = false
    if cutsPower || needsReboot { disk.cutPower(&world.network.random) }
  }

  func replaceDisk(_ disk: Disk) {
    isUp = false
    self.disk = disk
    go(by: nil)
  }

  // MARK: Layout

  /// A layout that is decided: what was missed under the present one is put aside before it is gone by.
  func adopt(_ newer: DecidedLayout) {
    guard newer.version > known?.version ?? 0, mayGo(by: newer.layout) else { return }
    // Whoever agreed to the first layout was there from the beginning.
    let accepted = layoutAcceptor.record.layout
    let isFounder = accepted?.version == 1 && accepted?.cluster == newer.layout.cluster
    let earlier = known?.layout ?? (isFounder ? accepted : nil)
    guard layoutAcceptor.learn(newer.layout) else { return }
    go(by: newer)
    if world.options.rules.contains(.rejoinsEmpty), newer.version > 1, let member {
      for (key, slot) in world.slots.enumerated() where disk.seen.files[key] != nil {
        if let earlier, newer.layout.keeps(slot, at: member, since: earlier) { continue }
        disk.writeSynced(.file(key, nil))
      }
    }
    disk.writeSynced(.layout(layoutAcceptor.record))
  }

  /// A cluster that this host's file does not name must not get hold of it, nor another cluster than its own.
  private func mayGo(by layout: Layout) -> Bool {
    if let known { return known.layout.cluster == layout.cluster }
    guard let planning else { return true }
    return layout.members.contains { planning.wish.names.contains($0.name) }
  }

  private func go(by layout: DecidedLayout?) {
    known = layout
    member = layout?.layout.member(of: disk.id)
  }

  func prepareLayout(_ ballot: Ballot) -> LayoutAnswer {
    raiseHorizon(to: ballot.counter)
    return layoutAcceptor.prepare(ballot)
  }

  func acceptLayout(_ ballot: Ballot, _ layout: Layout) -> LayoutAnswer? {
    guard known.map({ $0.layout.cluster == layout.cluster }) ?? true else { return nil }
    raiseHorizon(to: ballot.counter)
    let answer = layoutAcceptor.accept(ballot, layout)
    disk.writeSynced(.layout(layoutAcceptor.record))
    return answer
  }

  private func raiseHorizon(to counter: UInt64) {
    acceptor.saw(counter)
    guard counter > disk.durable.horizon else { return }
    disk.writeSynced(.horizon(counter + 10))
    acceptor.raised(to: disk.seen.horizon)
  }

  // MARK: Ballots and uploads

  func newUpload() -> UploadID {
    uploadCounter += 1
    return UploadID(member: Member(UInt16(index)), counter: UInt64(boot) << 32 | uploadCounter)
  }

  /// A ballot of this host's own, once its horizon is high enough.
  func ballot(above highest: Ballot, then: @escaping (Ballot) -> Void) {
    let number = member ?? Member(UInt16(1000 + index))
    let clock = UInt64(max(0, world.now + skew))
    let (ballot, before) = acceptor.ballot(for: number, above: highest, wallMicroseconds: clock)
    perform(before[...], nil) { if $0 == nil { then(ballot) } }
  }

  // MARK: Bytes

  func stage(_ upload: UploadID) { staged.insert(upload) }

  func hasBytes(_ upload: UploadID, of key: Int) -> Bool {
    if staged.contains(upload) { return true }
    guard let held = disk.seen.files[key] else { return false }
    return held.descriptor.upload == upload && held.hasBytes
  }

  // MARK: Requests

  /// A question of somebody who goes by a layout. One at a time a key.
  func handle(_ inquiry: Inquiry, _ asked: Member) { handle(Asked(inquiry: inquiry, member: asked)) }

  /// The same from within.
  func handle(_ request: RegisterRequest, _ key: Int, from known: DecidedLayout, answer: @escaping (Reply) -> Void) {
    let inquiry = Inquiry(self, boot: nil, request, key, known) { reply, _ in answer(reply) }
    handle(Asked(inquiry: inquiry, member: nil))
  }

  private func handle(_ asked: Asked) {
    let inquiry = asked.inquiry
    if inquiry.known.version > known?.version ?? 0 { adopt(inquiry.known) }
    if isBusy[inquiry.key] { return waiting[inquiry.key].append(asked) }
    isBusy[inquiry.key] = true
    take(asked)
  }

  private func take(_ asked: Asked) {
    let inquiry = asked.inquiry
    let key = inquiry.key
    guard let known else { return goOn(key) }
    if known.views[key].epoch != inquiry.known.views[key].epoch, world.options.rules.contains(.fences) {
      answer(.layout(known), to: asked)
      return goOn(key)
    }
    guard let member, known.views[key].hasVoter(member) || !world.options.rules.contains(.fences) else {
      answer(.answer(.unable, member: member ?? Member(0)), to: asked)
      return goOn(key)
    }
    let effects = acceptor.step(
      inquiry.request, world.keys[key], group: UInt8(world.slots[key].group),
      testimony(key), isStaged: isStaged(inquiry.request))
    if effects.count == 1, case .answer(let reply) = effects[0] {
      answer(.answer(reply, member: member), to: asked)
      return goOn(key)
    }
    let born = boot
    perform(effects[...], key) { [self] in
      if let reply = $0 { answer(.answer(reply, member: member), to: asked) }
      if isUp(since: born) { goOn(key) }
    }
  }

  func testimony(_ key: Int) -> Testimony {
    let contents = disk.seen
    let floor =
      world.options.writesFloors ? contents.floors[world.groups[key]] : floors.floor(of: UInt8(world.slots[key].group))
    return Testimony(held: contents.files[key], floor: floor)
  }

  private func answer(_ reply: Reply, to asked: Asked) {
    if let member = asked.member {
      world.answer(reply, to: asked.inquiry, asked: member, from: self)
    } else {
      asked.inquiry.take?(reply, Member(0))
    }
  }

  /// What was asked next about the key.
  private func goOn(_ key: Int) {
    guard !waiting[key].isEmpty else {
      isBusy[key] = false
      return
    }
    take(waiting[key].removeFirst())
  }

  private func isStaged(_ request: RegisterRequest) -> Bool {
    switch request {
    case .accept(_, let descriptor), .learn(_, let descriptor): staged.contains(descriptor.upload)
    default: false
    }
  }

  /// The effects in order, each durable before the next. Ends without an answer where a sync fails.
  private func perform(
    _ effects: ArraySlice<Acceptor.Effect>, _ key: Int?,
    _ answer: @escaping (RegisterAnswer?) -> Void
  ) {
    guard let effect = effects.first else { return answer(nil) }
    let write: Disk.Write
    switch (effect, key) {
    case (.answer(let reply), _): return answer(reply)
    case (.raiseHorizon(let horizon), _): write = .horizon(horizon)
    case (.raiseFloor, let key?) where !world.options.writesFloors:
      floors.forget(group: UInt8(world.slots[key].group), upTo: acceptor.highest)
      return perform(effects.dropFirst(), key, answer)
    case (.raiseFloor(let floor), let key?): write = .floor(world.groups[key], floor)
    case (.remove, let key?): write = .file(key, nil)
    case (.store(var held, from: let source), let key?):
      // What was in place may have been damaged since.
      if source == .place, held.descriptor.kind == .value, world.options.rules.contains(.acceptsOnlyBytes) {
        held.hasBytes = disk.seen.files[key]?.hasBytes ?? false
      }
      write = .file(key, held)
    case (_, nil): preconditionFailure("a ballot of one's own changes no key")
    }
    let token = disk.write(write)
    world.after(world.network.random.ticks(0.05...1.5), at: self) { [self] in
      guard world.isCalm || !world.network.random.chance(world.options.failingSyncs) else { return failSync(answer) }
      let isLast = !world.isCalm && world.network.random.chance(world.options.midwayKills)
      if isLast, world.network.random.chance(0.5) { return world.crash(self, cutsPower: false) }
      disk.sync(token)
      if isLast { return world.crash(self, cutsPower: false) }
      if case .raiseHorizon(let horizon) = effect { acceptor.raised(to: horizon) }
      perform(effects.dropFirst(), key, answer)
    }
  }

  private func failSync(_ answer: (RegisterAnswer?) -> Void) {
    needsReboot = true
    acceptor.syncFailed()
    world.count(.failedSyncs)
    answer(.unable)
    world.after(world.network.random.ticks(5...60), at: self) { [self] in world.crash(self, cutsPower: true) }
  }
}
