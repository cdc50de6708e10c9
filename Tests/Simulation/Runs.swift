import KVCluster
import KVCore

/// Runs a round at a host, over the network, until it ends.
final class RoundRun {
  private let host: Host
  private let key: Int
  private let layout: Layout
  private let boot: Int
  private var round: Round
  private var phase = 0
  private let finish: (Round.Outcome, _ mayBeWritten: Bool) -> Void

  init?(
    _ host: Host, _ key: Int, _ purpose: Round.Purpose, mayBeWritten: Bool = false,
    finish: @escaping (Round.Outcome, Bool) -> Void
  ) {
    guard let layout = host.layout else { return nil }
    self.host = host
    self.key = key
    self.layout = layout
    self.finish = finish
    boot = host.boot
    round = Round(purpose, host.views[key], mayBeWritten: mayBeWritten, rules: host.world.options.rules)
  }

  func start() { perform(round.start()) }

  private func step(_ event: Round.Event) { perform(round.step(event)) }

  private func perform(_ effects: [Round.Effect]) {
    for effect in effects {
      switch effect {
      case .wantBallot(let above, let attempt): wantBallot(above, attempt)
      case .send(let request, let members): send(request, members)
      case .supply(let upload, let member): supply(upload, member)
      case .finish(let outcome):
        phase += 1
        finish(outcome, round.mayBeWritten)
      }
    }
  }

  private func wantBallot(_ above: Ballot, _ attempt: Int) {
    let world = host.world
    let begin = host.whileAlive { [self] in host.ballot(above: above) { self.step(.begin($0)) } }
    if attempt == 1 { begin() } else { world.after(world.random.ticks(0.5...8) * Double(1 << (attempt - 2)), begin) }
  }

  private func send(_ request: RegisterRequest, _ members: [Member]) {
    phase += 1
    for member in members { ask(request, member) }
    let waiting = phase
    host.world.after(
      25 * host.world.random.ticks(0.7...1.3),
      host.whileAlive { [self] in if phase == waiting { step(.timedOut) } })
  }

  private func ask(_ request: RegisterRequest, _ member: Member) {
    guard let target = layout.hostIndex(of: member) else { return }
    let world = host.world
    world.send(from: host, to: target, request) { [self] owner in
      owner.handle(request, key, from: layout) { reply in
        world.send(from: owner, to: self.host.index) { _ in self.alive { self.take(reply, request, member) } }
      }
    }
  }

  private func alive(_ body: () -> Void) {
    if host.isUp(since: boot) { body() }
  }

  private func take(_ reply: Reply, _ request: RegisterRequest, _ asked: Member) {
    switch reply {
    case .answer(let answer, let member): step(.answer(answer, to: request, asked: asked, member: member))
    case .layout(let layout):
      host.adopt(layout)
      step(.moved)
    }
  }

  /// Has an owner fetch the bytes that it lacks, from whoever has them.
  private func supply(_ upload: UploadID, _ member: Member) {
    guard let target = layout.hostIndex(of: member) else { return }
    Fetch(host.world, key, upload, to: target, askedBy: host) { [self] in alive { step(.supplied(member)) } }.start()
  }
}

/// Brings the bytes of an upload to a host, from any that has them.
struct Fetch {
  let world: World
  let key: Int
  let upload: UploadID
  let target: Int
  let asker: Host
  let done: () -> Void

  init(_ world: World, _ key: Int, _ upload: UploadID, to target: Int, askedBy asker: Host, done: @escaping () -> Void)
  {
    self.world = world
    self.key = key
    self.upload = upload
    self.target = target
    self.asker = asker
    self.done = done
  }

  func start() {
    world.send(from: asker, to: target) { receiver in
      for source in world.hosts.indices {
        world.send(from: receiver, to: source) { holder in
          guard holder.hasBytes(upload, of: key) else { return }
          world.send(from: holder, to: target) { receiver in
            receiver.stage(upload)
            world.send(from: receiver, to: asker.index) { _ in done() }
          }
        }
      }
    }
  }
}

/// Reads a key at a host, over the network.
final class ReadingRun {
  private let host: Host
  private let key: Int
  /// What all answers go by.
  let layout: Layout
  private(set) var reading: Reading
  private var finish: ((Reading.Outcome?, ReadingRun) -> Void)?

  /// `finish` gets nil where the owners are others by now.
  init?(
    _ host: Host, _ key: Int, _ view: View? = nil, waitsForAll: Bool = false,
    finish: @escaping (Reading.Outcome?, ReadingRun) -> Void
  ) {
    guard let layout = host.layout else { return nil }
    self.host = host
    self.key = key
    self.layout = layout
    self.finish = finish
    reading = Reading(view ?? host.views[key], waitsForAll: waitsForAll, rules: host.world.options.rules)
  }

  func start() {
    let world = host.world
    let boot = host.boot
    for member in reading.asked {
      guard let target = layout.hostIndex(of: member) else { continue }
      world.send(from: host, to: target) { [self] owner in
        owner.handle(.read, key, from: layout) { reply in
          world.send(from: owner, to: self.host.index) { _ in
            if self.host.isUp(since: boot) { self.take(reply, member) }
          }
        }
      }
    }
    world.after(25 * world.random.ticks(0.7...1.3), host.whileAlive { [self] in end(reading.end()) })
  }

  private func take(_ reply: Reply, _ asked: Member) {
    guard finish != nil else { return }
    switch reply {
    case .answer(let answer, let member):
      if let outcome = reading.take(answer, asked: asked, member: member) { end(outcome) }
    case .layout(let layout):
      host.adopt(layout)
      end(nil)
    }
  }

  private func end(_ outcome: Reading.Outcome?) {
    finish?(outcome, self)
    finish = nil
  }
}

extension Layout {
  /// The host of a member, which is called by its number.
  func hostIndex(of member: Member) -> Int? {
    members.first { $0.member == member }.flatMap { Int($0.name) }
  }
}
