import KVCluster
import KVCore

/// Brings the owners of a key to the same state, and forgets deletions that all of them hold.
struct Repairer {
  private let host: Host
  private let world: World

  init(_ host: Host) {
    self.host = host
    world = host.world
  }

  func repair(_ key: Int) {
    guard host.isUp else { return }
    ReadingRun(host, key, waitsForAll: true) { outcome, run in
      switch outcome {
      case .chosen(let held?, _, let behind): teach(held, key, to: behind, under: run.known)
      case .unsettled:
        if !world.options.rules.contains(.teachesOnlyChosen), let held = run.reading.highest {
          return teach(held, key, to: run.reading.asked, under: run.known)
        }
        settle(key)
      default: break
      }
    }?.start()
  }

  func purge(_ key: Int) {
    guard host.isUp else { return }
    ReadingRun(host, key, waitsForAll: true) { _, run in
      guard let ballot = run.reading.deletionOfAll, let layout = dated(run.known) else { return }
      let inquiry = Inquiry(host, boot: nil, .purge(ballot), key, layout, take: nil)
      for member in run.reading.asked { world.ask(inquiry, member) }
      world.count(.purges)
    }?.start()
  }

  /// What is said of a key holds under the layout by which the owners were asked, not under the one that is known by now.
  private func dated(_ asked: DecidedLayout) -> DecidedLayout? {
    world.options.rules.contains(.datesLessons) ? asked : host.known
  }

  private func settle(_ key: Int) { RoundRun(host, key, .certainty) { _, _ in }?.start() }

  /// Who lacks the bytes fetches them; who has forgotten so much that it cannot tell needs a round.
  private func teach(_ held: Held, _ key: Int, to behind: [Member], under known: DecidedLayout, tries: Int = 2) {
    guard let layout = dated(known), tries > 0 else { return }
    let lesson = Inquiry(host, boot: nil, .learn(held.ballot, held.descriptor), key, layout) { reply, member in
      switch reply {
      case .answer(.lacksBytes, _):
        guard let target = layout.hostIndex(of: member) else { return }
        Fetch(world, key, held.descriptor.upload, to: target, askedBy: host) {
          teach(held, key, to: [member], under: known, tries: tries - 1)
        }.start()
      case .answer(.outbid, _): settle(key)
      case .layout(let newer): host.adopt(newer)
      default: break
      }
    }
    for member in behind where layout.hostIndex(of: member) != nil {
      world.count(.lessons)
      world.ask(lesson, member)
    }
  }
}
