import KVCluster
import KVCore

/// Carries a round about the layout over the network.
final class LayoutRun {
  private let host: Host
  private let ballot: Ballot
  private var round: LayoutRound
  private let ended: (Layout?, _ highest: Ballot) -> Void

  init(_ host: Host, _ round: LayoutRound, _ ballot: Ballot, ended: @escaping (Layout?, Ballot) -> Void) {
    self.host = host
    self.round = round
    self.ballot = ballot
    self.ended = ended
  }

  func start() {
    perform(round.start())
    host.world.after(40, at: host) { [self] in perform(round.step(.timedOut)) }
  }

  private func perform(_ effects: [LayoutRound.Effect]) {
    let ballot = ballot
    for effect in effects {
      switch effect {
      case .prepare(let members): ask(members) { $0.prepareLayout(ballot) }
      case .accept(let layout, let members): ask(members) { $0.acceptLayout(ballot, layout) }
      case .decided(let layout): ended(layout, ballot)
      case .settled: ended(nil, ballot)
      case .failed(let above): ended(nil, above)
      }
    }
  }

  private func ask(_ members: [LayoutMember], _ body: @escaping (Host) -> LayoutAnswer?) {
    host.ask(members.compactMap { Int($0.name) }, body) { [self] in perform(round.step($0)) }
  }
}

/// The same for the round about the first layout.
final class FoundingRun {
  private let host: Host
  private let ballot: Ballot
  private let targets: [Int]
  private var round: FoundingRound
  private let ended: (Layout?, _ highest: Ballot) -> Void

  init(
    _ host: Host, _ round: FoundingRound, _ ballot: Ballot, askedOf targets: [Int],
    ended: @escaping (Layout?, Ballot) -> Void
  ) {
    (self.host, self.round, self.ballot, self.targets, self.ended) = (host, round, ballot, targets, ended)
  }

  func start() {
    let ballot = ballot
    ask { $0.prepareLayout(ballot) }
    host.world.after(40, at: host) { [self] in perform(round.step(.timedOut)) }
  }

  private func perform(_ effects: [FoundingRound.Effect]) {
    let ballot = ballot
    for effect in effects {
      switch effect {
      case .accept(let layout): ask { $0.acceptLayout(ballot, layout) }
      case .decided(let layout): ended(layout, ballot)
      case .failed(let above): ended(nil, above)
      }
    }
  }

  private func ask(_ body: @escaping (Host) -> LayoutAnswer?) {
    host.ask(targets, body) { [self] in perform(round.step($0)) }
  }
}

extension Host {
  /// Asks hosts about the layout. Their answers reach the process that has asked.
  fileprivate func ask(
    _ targets: [Int], _ body: @escaping (Host) -> LayoutAnswer?, take: @escaping (LayoutRound.Event) -> Void
  ) {
    let (world, boot) = (world, boot)
    for target in targets {
      world.send(from: self, to: target) { [index] voter in
        guard let answer = body(voter) else { return }
        let disk = voter.disk.id
        world.send(from: voter, to: index) { asker in
          if asker.isUp(since: boot) { take(.answer(answer, from: disk)) }
        }
      }
    }
  }
}
