import KVCluster
import KVCore

/// A client that does one operation after the other, through whichever host, and keeps a record of what it was told.
final class SimulatedClient {
  private unowned let world: World
  private var index = 0
  private var isDone = false

  init(_ world: World) { self.world = world }

  func act(_ left: Int) {
    guard left > 0 else { return }
    let up = world.hosts.filter { $0.isUp && $0.layout != nil }
    guard !up.isEmpty else { return world.after(10) { [self] in act(left) } }
    let host = world.random.pick(up)
    let key = world.random.below(world.keyList.count)
    index = world.history.count
    isDone = false
    world.history.append(Operation(key: key, kind: kind(of: key), value: index + 1, begun: world.now))
    let operation = world.history[index]
    let mine = index
    let end: (Operation.Result) -> Void = { [self] result in
      guard !isDone, index == mine else { return }
      isDone = true
      if result != .unknown { world.history[mine].ended = world.now }
      world.history[mine].result = result
      world.count(String(describing: operation.kind).prefix { $0 != "(" } + " " + result.word)
      world.after(world.random.ticks(world.options.isHot ? 0...4 : 0...25)) { [self] in act(left - 1) }
    }
    perform(operation, at: host, end)
    // A host that died tells its client nothing.
    world.after(160) { end(.unknown) }
  }

  private func kind(of key: Int) -> Operation.Kind {
    switch world.random.below(8) {
    case 0...2: return .get
    case 3: return .put
    case 4: return .delete
    case 5: return .create
    default:
      let values = world.history.filter { $0.key == key }.suffix(3).map(\.value)
      return .exchange(expected: values.isEmpty ? nil : world.random.pick(values))
    }
  }

  private func perform(_ operation: Operation, at host: Host, _ end: @escaping (Operation.Result) -> Void) {
    let key = world.keyList[operation.key]
    switch operation.kind {
    case .get: read(key, at: host, tries: 4, end)
    case .delete: write(operation, key, .deletion, at: host, end)
    default: stage(operation, key, at: host, end)
    }
  }

  // MARK: Reading

  private func read(_ key: Key, at host: Host, tries: Int, _ end: @escaping (Operation.Result) -> Void) {
    guard tries > 0 else { return end(.nothing) }
    let again = { [self] in read(key, at: host, tries: tries - 1, end) }
    let run = ReadingRun(host, key) { [self] outcome, _ in
      switch outcome {
      case nil, .unavailable: again()
      case .chosen(let held, _, _): deliver(held, key, at: host, again, end)
      case .unsettled: settle(key, at: host, again, end)
      }
    }
    run?.start()
  }

  private func settle(
    _ key: Key, at host: Host, _ again: @escaping () -> Void, _ end: @escaping (Operation.Result) -> Void
  ) {
    world.count("slow reads")
    RoundRun(host, key, .certainty) { [self] outcome, _ in
      if case .chosen(let held) = outcome { deliver(held, key, at: host, again, end) } else { again() }
    }?.start()
  }

  /// What is decided is an answer only with its bytes.
  private func deliver(
    _ held: Held?, _ key: Key, at host: Host, _ again: @escaping () -> Void,
    _ end: @escaping (Operation.Result) -> Void
  ) {
    guard let held, held.descriptor.kind == .value else { return end(.found(nil)) }
    let upload = held.descriptor.upload
    var isOver = false
    Fetch(world, key, upload, to: host.index, askedBy: host) {
      isOver = true
      end(.found(held.descriptor.valueBytes))
    }.start()
    world.after(30, host.whileAlive { if !isOver { again() } })
  }

  // MARK: Writing

  /// The bytes go to all owners first; most must have them.
  private func stage(
    _ operation: Operation, _ key: Key, at host: Host, _ end: @escaping (Operation.Result) -> Void
  ) {
    guard let layout = host.layout, let slot = world.keys[key] else { return end(.nothing) }
    let view = layout.view(of: slot)
    let upload = host.newUpload()
    var sealed: Set<Member> = []
    var isOver = false
    let boot = host.boot
    for member in view.voters {
      guard let target = layout.hostIndex(of: member) else { continue }
      world.send(from: host, to: target) { [self] owner in
        owner.stage(upload)
        world.send(from: owner, to: host.index) { [self] _ in
          sealed.insert(member)
          guard host.boot == boot, !isOver, view.isQuorum(sealed) else { return }
          isOver = true
          write(operation, key, .value, upload, at: host, end)
        }
      }
    }
    let giveUp = {
      if !isOver { end(.nothing) }
      isOver = true
    }
    world.after(40, host.whileAlive(giveUp))
  }

  private func write(
    _ operation: Operation, _ key: Key, _ kind: Descriptor.Kind, _ upload: UploadID? = nil, at host: Host,
    mayBeWritten: Bool = false, moves: Int = 5, _ end: @escaping (Operation.Result) -> Void
  ) {
    let descriptor = Descriptor(
      upload: upload ?? host.newUpload(), kind: kind, valueBytes: operation.value, committedAtNanoseconds: 0,
      checksum: ValueChecksum(high: 0, low: 0))
    let purpose = Round.Purpose(write: descriptor) { operation.kind.holds(on: $0?.valueBytes) }
    let run = RoundRun(host, key, purpose, mayBeWritten: mayBeWritten) { [self] outcome, mayBeWritten in
      switch outcome {
      case .chosen: end(.done)
      case .refused: end(.refused)
      case .notWritten: end(.nothing)
      case .unknown: end(.unknown)
      case .moved where moves == 0: end(mayBeWritten ? .unknown : .nothing)
      case .moved:
        write(
          operation, key, kind, descriptor.upload, at: host, mayBeWritten: mayBeWritten, moves: moves - 1, end)
      }
    }
    run?.start()
  }
}

extension Operation.Kind {
  /// Whether the operation may be done where this is the value.
  func holds(on value: Int?) -> Bool {
    switch self {
    case .get, .put, .delete: true
    case .create: value == nil
    case .exchange(let expected): value == expected
    }
  }
}

extension Operation.Result {
  var word: String {
    switch self {
    case .found: "found"
    case .done: "done"
    case .refused: "refused"
    case .nothing: "not done"
    case .unknown: "unknown"
    }
  }
}
