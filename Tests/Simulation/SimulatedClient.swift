import KVCluster
import KVCore

/// A client that does one operation after the other, through whichever host, and keeps a record of what it was told.
struct SimulatedClient {
  private let world: World

  init(_ world: World) { self.world = world }

  /// So many operations, one after the other; `leave` is called after the last.
  func act(_ left: Int, leave: @escaping () -> Void) {
    guard left > 0, !world.isCalm else { return leave() }
    let key = world.network.random.below(world.keys.count)
    let kind = kind(of: key)
    operate(kind, key) { [self] operation, result in
      end(operation, result, repeatsLeft: world.options.repeatsMax) { [self] in
        world.after(world.network.random.ticks(world.options.thinkingTicks)) { [self] in act(left - 1, leave: leave) }
      }
    }
  }

  /// What it does not know to be done, it asks for once more, if it is one that does.
  private func end(
    _ operation: Operation, _ result: Operation.Result, repeatsLeft: Int, _ leave: @escaping () -> Void
  ) {
    guard repeatsLeft > 0, result == .unknown, operation.kind.canBeRepeated else { return leave() }
    operate(operation.kind, operation.key, repeating: operation) { [self] operation, result in
      end(operation, result, repeatsLeft: repeatsLeft - 1, leave)
    }
  }

  func readOnce(_ key: Int, then: @escaping (Operation.Result) -> Void) { operate(.get, key) { then($1) } }

  private func operate(
    _ kind: Operation.Kind, _ key: Int, repeating earlier: Operation? = nil,
    then: @escaping (Operation, Operation.Result) -> Void
  ) {
    let up = world.hosts.filter { $0.isUp && $0.known != nil }
    guard !up.isEmpty else {
      return world.after(10) { [self] in operate(kind, key, repeating: earlier, then: then) }
    }
    let host = world.network.random.pick(up)
    let place = world.history.count
    let operation = Operation(
      key: key, kind: kind, value: earlier?.value ?? place + 1, isRepeat: earlier != nil, begun: world.now)
    world.history.append(operation)
    var isDone = false
    let end: (Operation.Result) -> Void = { [self] result in
      guard !isDone else { return }
      isDone = true
      if result != .unknown { world.history[place].ended = world.now }
      world.history[place].result = result
      then(operation, result)
    }
    perform(operation, at: host, end)
    // A host that died tells its client nothing.
    let boot = host.boot
    world.after(kind.isGet ? 30 : 15) { if !host.isUp(since: boot) { end(.unknown) } }
    world.after(160) { end(.unknown) }
  }

  private func kind(of key: Int) -> Operation.Kind {
    switch world.network.random.pick(world.options.operations) {
    case .get: return .get
    case .put: return .put
    case .delete: return .delete
    case .create: return .create
    case .exchange where world.network.random.chance(0.6): return .exchange(expected: world.newest(key))
    case .exchange:
      let values = world.history.filter { $0.key == key && !$0.kind.isGet }.suffix(3).map(\.value)
      return .exchange(expected: values.isEmpty ? nil : world.network.random.pick(values))
    }
  }

  private func perform(_ operation: Operation, at host: Host, _ end: @escaping (Operation.Result) -> Void) {
    switch operation.kind {
    case .get: read(operation.key, at: host, tries: 4, end)
    case .delete: write(operation, operation.key, .deletion, at: host, end)
    default: stage(operation, operation.key, at: host, end)
    }
  }

  // MARK: Reading

  private func read(_ key: Int, at host: Host, tries: Int, _ end: @escaping (Operation.Result) -> Void) {
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
    _ key: Int, at host: Host, _ again: @escaping () -> Void, _ end: @escaping (Operation.Result) -> Void
  ) {
    world.count(.slowReads)
    RoundRun(host, key, .certainty) { [self] outcome, _ in
      if case .chosen(let held) = outcome { deliver(held, key, at: host, again, end) } else { again() }
    }?.start()
  }

  /// What is decided is an answer only with its bytes.
  private func deliver(
    _ held: Held?, _ key: Int, at host: Host, _ again: @escaping () -> Void,
    _ end: @escaping (Operation.Result) -> Void
  ) {
    guard let held, held.descriptor.kind == .value else { return end(.found(nil)) }
    let upload = held.descriptor.upload
    var isOver = false
    Fetch(world, key, upload, to: host.index, askedBy: host) {
      isOver = true
      end(.found(held.descriptor.valueBytes))
    }.start()
    world.after(30, at: host) { if !isOver { again() } }
  }

  // MARK: Writing

  /// The bytes go to all owners first; most must have them.
  private func stage(
    _ operation: Operation, _ key: Int, at host: Host, _ end: @escaping (Operation.Result) -> Void
  ) {
    guard let known = host.known else { return end(.nothing) }
    let view = known.views[key]
    let upload = host.newUpload()
    var sealed: Set<Member> = []
    var isOver = false
    let boot = host.boot
    for member in view.voters {
      guard let target = known.hostIndex(of: member) else { continue }
      world.send(from: host, to: target) { [self] owner in
        owner.stage(upload)
        world.send(from: owner, to: host.index) { [self] _ in
          sealed.insert(member)
          guard host.isUp(since: boot), !isOver, view.isQuorum(sealed) else { return }
          isOver = true
          write(operation, key, .value, upload, at: host, end)
        }
      }
    }
    world.after(40, at: host) {
      if !isOver { end(.nothing) }
      isOver = true
    }
  }

  private func write(
    _ operation: Operation, _ key: Int, _ kind: Descriptor.Kind, _ upload: UploadID? = nil, at host: Host,
    mayBeWritten: Bool = false, moves: Int = 5, _ end: @escaping (Operation.Result) -> Void
  ) {
    let descriptor = Descriptor(
      upload: upload ?? host.newUpload(), kind: kind, valueBytes: operation.value, committedAtNanoseconds: 0,
      checksum: ValueChecksum(high: 0, low: 0),
      request: world.options.repeatsMax > 0 && kind == .value ? RequestToken(number: UInt64(operation.value)) : nil)
    order(operation, key, descriptor, at: host, to: owners(of: key, host), mayBeWritten: mayBeWritten) {
      [self] outcome, mayBeWritten in
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
  }

  /// Those that may run a round about the key, in order: where writes are not handed over, the host that was asked.
  private func owners(of key: Int, _ host: Host) -> [Int] {
    guard world.options.handsOver, let known = host.known else { return [host.index] }
    let owners = known.views[key].voters.compactMap(known.hostIndex(of:))
    return owners.filter { $0 == host.index || !world.network.random.chance(world.options.suspicion) }
  }

  /// Has the first of the owners that answers run the round. What one that gives no answer has made of it nobody knows.
  private func order(
    _ operation: Operation, _ key: Int, _ descriptor: Descriptor, at host: Host, to owners: [Int],
    mayBeWritten: Bool, _ end: @escaping (Round.Outcome, Bool) -> Void
  ) {
    guard let target = owners.first else { return end(mayBeWritten ? .unknown : .notWritten, mayBeWritten) }
    let purpose = Round.Purpose(write: descriptor) { operation.kind.holds(on: $0?.valueBytes) }
    if target == host.index {
      return RoundRun(host, key, purpose, mayBeWritten: mayBeWritten, finish: end)?.start() ?? ()
    }
    let boot = host.boot
    var (isTaken, isOver) = (false, false)
    world.send(from: host, to: target) { [self] owner in
      // It goes over a connection of its own, so it cannot come twice.
      guard !isTaken else { return }
      isTaken = true
      RoundRun(owner, key, purpose, mayBeWritten: mayBeWritten) { [self] outcome, mayBeWritten in
        world.send(from: owner, to: host.index) { _ in
          guard !isOver, host.isUp(since: boot) else { return }
          isOver = true
          end(outcome, mayBeWritten)
        }
      }?.start()
    }
    world.after(world.network.random.ticks(5...60), at: host) { [self] in
      guard !isOver else { return }
      isOver = true
      let mayBeWritten = mayBeWritten || world.options.rules.contains(.marksHandovers)
      order(
        operation, key, descriptor, at: host, to: Array(owners.dropFirst()), mayBeWritten: mayBeWritten, end)
    }
  }
}

extension Operation.Kind {
  var isGet: Bool { if case .get = self { true } else { false } }

  /// Whether it is recognised when it comes once more: only values are.
  var canBeRepeated: Bool {
    switch self {
    case .put, .create, .exchange: true
    case .get, .delete: false
    }
  }

  /// Whether the operation may be done where this is the value.
  func holds(on value: Int?) -> Bool {
    switch self {
    case .get, .put, .delete: true
    case .create: value == nil
    case .exchange(let expected): value == expected
    }
  }
}
