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
      case .chosen(let held?, _, let behind): teach(held, key, to: behind, under: run.layout)
      case .unsettled:
        if !world.options.rules.contains(.teachesOnlyChosen), let held = run.reading.highest {
          return teach(held, key, to: run.reading.asked, under: run.layout)
        }
        settle(key)
      default: break
      }
    }?.start()
  }

  func purge(_ key: Int) {
    guard host.isUp else { return }
    ReadingRun(host, key, waitsForAll: true) { _, run in
      guard let ballot = run.reading.deletionOfAll, let layout = dated(run.layout) else { return }
      for member in run.reading.asked {
        guard let target = layout.hostIndex(of: member) else { continue }
        world.send(from: host, to: target) { $0.handle(.purge(ballot), key, from: layout) { _ in } }
      }
      world.count(.purges)
    }?.start()
  }

  /// What is said of a key holds under the layout by which the owners were asked, not under the one that is known by now.
  private func dated(_ layout: Layout) -> Layout? {
    world.options.rules.contains(.datesLessons) ? layout : host.layout
  }

  private func settle(_ key: Int) { RoundRun(host, key, .certainty) { _, _ in }?.start() }

  /// Who lacks the bytes fetches them; who has forgotten so much that it cannot tell needs a round.
  private func teach(_ held: Held, _ key: Int, to behind: [Member], under known: Layout, tries: Int = 2) {
    guard let layout = dated(known), tries > 0 else { return }
    for member in behind {
      guard let target = layout.hostIndex(of: member) else { continue }
      world.count(.lessons)
      let lesson = RegisterRequest.learn(held.ballot, held.descriptor)
      world.send(from: host, to: target, lesson) { pupil in
        pupil.handle(lesson, key, from: layout) { reply in
          world.send(from: pupil, to: host.index) { _ in
            switch reply {
            case .answer(.lacksBytes, _):
              Fetch(world, key, held.descriptor.upload, to: target, askedBy: host) {
                teach(held, key, to: [member], under: known, tries: tries - 1)
              }.start()
            case .answer(.outbid, _): settle(key)
            case .layout(let layout): host.adopt(layout)
            default: break
            }
          }
        }
      }
    }
  }
}
