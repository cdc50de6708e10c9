import KVCluster
import KVCore

/// What comes back from an owner.
enum Reply {
  case answer(RegisterAnswer, member: Member)
  /// The owner goes by a newer layout.
  case layout(Layout)
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
  private var uploadCounter: UInt64 = 0
  /// What waits for each key, where something is being done about it.
  private var busy: [[() -> Void]?]
  private(set) var views: [View] = []
  private let skew: Double

  init(_ index: Int, _ world: World, _ disk: Disk, skew: Double) {
    self.index = index
    self.world = world
    self.disk = disk
    self.skew = skew
    busy = Array(repeating: nil, count: world.keys.count)
  }

  func isUp(since boot: Int) -> Bool { isUp && self.boot == boot }

  /// The layout that it goes by, and what follows from it.
  private(set) var layout: Layout?
  private(set) var member: Member?

  // MARK: Life

  func start() {
    let options = world.options
    isUp = true
    needsReboot = false
    boot += 1
    staged = []
    busy = Array(repeating: nil, count: world.keys.count)
    if options.rules.contains(.syncsAtStart) { disk.syncAll() }
    acceptor = Acceptor(
      horizon: disk.seen.horizon, rules: options.rules, promisesMax: options.promisesMax, horizonStep: 10)
    layoutAcceptor = LayoutAcceptor(disk.seen.layout, horizon: disk.seen.horizon)
    noteLayout()
  }

  func stop(cutsPower: Bool) {
    isUp = false
    if cutsPower || needsReboot { disk.cutPower(&world.random) }
  }

  func replaceDisk(_ disk: Disk) {
    isUp = false
    self.disk = disk
  }

  /// What the process does as long as it is the same one.
  func whileAlive(_ body: @escaping () -> Void) -> () -> Void {
    let born = boot
    return { [self] in if isUp(since: born) { body() } }
  }

  // MARK: Layout

  /// A layout that is decided: what was missed under the present one is put aside before it is gone by.
  func adopt(_ layout: Layout) {
    let earlier = self.layout
    guard layoutAcceptor.learn(layout) else { return }
    noteLayout()
    if world.options.rules.contains(.rejoinsEmpty), let member {
      for (key, slot) in world.slots.enumerated() where disk.seen.files[key] != nil {
        if let earlier, layout.keeps(slot, at: member, since: earlier) { continue }
        disk.writeSynced(.file(key, nil))
      }
    }
    disk.writeSynced(.layout(layoutAcceptor.record))
  }

  private func noteLayout() {
    layout = layoutAcceptor.record.known
    member = layout?.member(of: disk.id)
    views = layout.map { world.slots.map($0.view) } ?? []
  }

  func prepareLayout(_ ballot: Ballot) -> LayoutAnswer {
    raiseHorizon(to: ballot.counter)
    return layoutAcceptor.prepare(ballot)
  }

  func acceptLayout(_ ballot: Ballot, _ layout: Layout) -> LayoutAnswer {
    raiseHorizon(to: ballot.counter)
    let answer = layoutAcceptor.accept(ballot, layout)
    disk.writeSynced(.layout(layoutAcceptor.record))
    return answer
  }

  private func raiseHorizon(to counter: UInt64) {
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

  /// A request of somebody who goes by a layout. One at a time a key.
  func handle(
    _ request: RegisterRequest, _ key: Int, from sender: Layout, answer: @escaping (Reply) -> Void
  ) {
    if sender.version > layout?.version ?? 0 { adopt(sender) }
    enqueue(key) { [self] done in
      guard let layout else { return done() }
      let group = world.slots[key].group
      let isOld = layout.groups[group].epoch != sender.groups[group].epoch
      if isOld, world.options.rules.contains(.fences) {
        answer(.layout(layout))
        return done()
      }
      guard let member, views[key].hasVoter(member) || !world.options.rules.contains(.fences) else {
        answer(.answer(.unable, member: self.member ?? Member(0)))
        return done()
      }
      let effects = acceptor.step(
        request, world.keys[key], group: UInt8(group), disk.testimony(key, group: world.groups[key]),
        isStaged: isStaged(request))
      perform(effects[...], key) {
        if let reply = $0 { answer(.answer(reply, member: member)) }
        done()
      }
    }
  }

  private func isStaged(_ request: RegisterRequest) -> Bool {
    switch request {
    case .accept(_, let descriptor), .learn(_, let descriptor): staged.contains(descriptor.upload)
    default: false
    }
  }

  private func enqueue(_ key: Int, _ work: @escaping (@escaping () -> Void) -> Void) {
    let run = { [self] in
      work(
        whileAlive { [self] in
          guard var waiting = busy[key], !waiting.isEmpty else {
            busy[key] = nil
            return
          }
          let next = waiting.removeFirst()
          busy[key] = waiting
          next()
        })
    }
    if busy[key] == nil {
      busy[key] = []
      run()
    } else {
      busy[key]?.append(run)
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
    case (.raiseFloor(let floor), let key?): write = .floor(world.groups[key], floor)
    case (.remove, let key?): write = .file(key, nil)
    case (.store(let held, from: _), let key?): write = .file(key, held)
    case (_, nil): preconditionFailure("a ballot of one's own changes no key")
    }
    let token = disk.write(write)
    world.after(
      world.random.ticks(0.05...1.5),
      whileAlive { [self] in
        guard world.isCalm || !world.random.chance(world.options.failingSyncs) else { return failSync(answer) }
        let isLast = !world.isCalm && world.random.chance(world.options.midwayKills)
        if isLast, world.random.chance(0.5) { return world.crash(self, cutsPower: false) }
        disk.sync(token)
        if isLast { return world.crash(self, cutsPower: false) }
        if case .raiseHorizon(let horizon) = effect { acceptor.raised(to: horizon) }
        perform(effects.dropFirst(), key, answer)
      })
  }

  private func failSync(_ answer: (RegisterAnswer?) -> Void) {
    needsReboot = true
    acceptor.syncFailed()
    world.count(.failedSyncs)
    answer(.unable)
    world.after(world.random.ticks(5...60), whileAlive { [self] in world.crash(self, cutsPower: true) })
  }
}
