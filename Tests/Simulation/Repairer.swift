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
      guard world.options.rules.contains(.promisesBeforePurge) else {
        return forget(ballot, key, run.reading.asked, layout)
      }
      host.ballot(above: ballot) { prepareToForget(ballot, key, run.reading.asked, layout, at: $0) }
    }?.start()
  }

  /// A round may have been promised something by an owner that did not hold the deletion yet. Once all have promised more,
  /// it gets nothing from the others any more, of whom it would hear that nothing is there.
  private func prepareToForget(
    _ deletion: Ballot, _ key: Int, _ owners: [Member], _ layout: DecidedLayout, at ballot: Ballot
  ) {
    var promised: Set<Member> = []
    var isOver = false
    let inquiry = Inquiry(host, boot: host.boot, .prepare(ballot), key, layout) { reply, asked in
      guard case .answer(.promised(let testimony), let member) = reply, testimony.ballot == deletion else { return }
      promised.insert(world.options.rules.contains(.countsDisks) ? member : asked)
      let rules = world.options.rules
      let isEnough =
        rules.contains(.purgesFromAll)
        ? owners.allSatisfy(promised.contains) : layout.views[key].isQuorum(promised)
      guard !isOver, isEnough else { return }
      isOver = true
      forget(deletion, key, owners, layout)
    }
    for owner in owners { world.ask(inquiry, owner) }
  }

  private func forget(_ deletion: Ballot, _ key: Int, _ owners: [Member], _ layout: DecidedLayout) {
    let inquiry = Inquiry(host, boot: nil, .purge(deletion), key, layout, take: nil)
    for owner in owners { world.ask(inquiry, owner) }
    world.count(.purges)
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
