import KVCluster
import KVCore

/// Runs a round at a host, over the network, until it ends.
final class RoundRun {
  private let host: Host
  private let key: Int
  private let known: DecidedLayout
  private let boot: Int
  private var round: Round
  private var phase = 0
  private let finish: (Round.Outcome, _ mayBeWritten: Bool) -> Void

  init?(
    _ host: Host, _ key: Int, _ purpose: Round.Purpose, mayBeWritten: Bool = false,
    finish: @escaping (Round.Outcome, Bool) -> Void
  ) {
    guard let known = host.known else { return nil }
    self.host = host
    self.key = key
    self.known = known
    self.finish = finish
    boot = host.boot
    round = Round(purpose, known.views[key], mayBeWritten: mayBeWritten, rules: host.world.options.rules)
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
    let begin = { [self] in host.ballot(above: above) { self.step(.begin($0)) } }
    if attempt == 1 { return begin() }
    world.after(world.network.random.ticks(0.5...8) * Double(1 << (attempt - 2)), at: host, begin)
  }

  private func send(_ request: RegisterRequest, _ members: [Member]) {
    phase += 1
    let inquiry = Inquiry(host, boot: boot, request, key, known) { [self] in take($0, request, $1) }
    for member in members { host.world.ask(inquiry, member) }
    let waiting = phase
    host.world.after(25 * host.world.network.random.ticks(0.7...1.3), at: host) { [self] in
      if phase == waiting { step(.timedOut) }
    }
  }

  private func alive(_ body: () -> Void) {
    if host.isUp(since: boot) { body() }
  }

  private func take(_ reply: Reply, _ request: RegisterRequest, _ asked: Member) {
    switch reply {
    case .answer(let answer, let member): step(.answer(answer, to: request, asked: asked, member: member))
    case .layout(let newer):
      host.adopt(newer)
      step(.moved)
    }
  }

  /// Has an owner fetch the bytes that it lacks, from whoever has them.
  private func supply(_ upload: UploadID, _ member: Member) {
    guard let target = known.hostIndex(of: member) else { return }
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
  let known: DecidedLayout
  private(set) var reading: Reading
  private var finish: ((Reading.Outcome?, ReadingRun) -> Void)?

  /// `finish` gets nil where the owners are others by now.
  init?(
    _ host: Host, _ key: Int, _ view: View? = nil, waitsForAll: Bool = false,
    finish: @escaping (Reading.Outcome?, ReadingRun) -> Void
  ) {
    guard let known = host.known else { return nil }
    self.host = host
    self.key = key
    self.known = known
    self.finish = finish
    reading = Reading(view ?? known.views[key], waitsForAll: waitsForAll, rules: host.world.options.rules)
  }

  func start() {
    let world = host.world
    let inquiry = Inquiry(host, boot: host.boot, .read, key, known) { [self] in take($0, $1) }
    for member in reading.asked { world.ask(inquiry, member) }
    world.after(25 * world.network.random.ticks(0.7...1.3), at: host) { [self] in end(reading.end()) }
  }

  private func take(_ reply: Reply, _ asked: Member) {
    guard finish != nil else { return }
    switch reply {
    case .answer(let answer, let member):
      if let outcome = reading.take(answer, asked: asked, member: member) { end(outcome) }
    case .layout(let newer):
      host.adopt(newer)
      end(nil)
    }
  }

  private func end(_ outcome: Reading.Outcome?) {
    finish?(outcome, self)
    finish = nil
  }
}
