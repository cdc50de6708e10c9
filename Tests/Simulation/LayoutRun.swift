import KVCluster
import KVCore

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
    host.world.after(40, at: host) { [self] in perform(round.step(.timedOut)) }
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
          if host.isUp(since: boot) { perform(round.step(.answer(answer, from: disk))) }
        }
      }
    }
  }
}
