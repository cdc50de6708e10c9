import KVCluster
import KVCore

/// Brings a new owner's group up to what its old owners hold, key by key.
final class GroupSync {
  private let host: Host
  private let world: World
  private let known: DecidedLayout
  private let member: Member
  private let keys: [Int]
  private let done: () -> Void

  init(_ host: Host, _ known: DecidedLayout, _ member: Member, _ group: Int, done: @escaping () -> Void) {
    self.host = host
    world = host.world
    self.known = known
    self.member = member
    self.done = done
    let (slots, bringsAllUp) = (world.slots, world.options.rules.contains(.bringsAllUp))
    keys = slots.indices.filter { key in
      let view = known.views[key]
      return slots[key].group == group && view.nextOwners?.contains(member) == true
        && (bringsAllUp || !view.owners.contains(member))
    }
  }

  func start() { next(keys[...]) }

  private func next(_ left: ArraySlice<Int>) {
    guard let key = left.first else { return done() }
    let view = known.views[key]
    // All answers are from this epoch: no older round can come to a decision without these owners any more.
    let old = View(epoch: view.epoch, owners: view.owners)
    ReadingRun(host, key, old) { [self] outcome, _ in
      switch outcome {
      case .chosen(let held, _, _): take(held, key) { [self] in next(left.dropFirst()) }
      case .unsettled: settle(key) { [self] in next(left.dropFirst()) }
      default: break
      }
    }?.start()
  }

  /// The round's quorum may be without this owner, so it reads what was decided.
  private func settle(_ key: Int, _ then: @escaping () -> Void) {
    RoundRun(host, key, .certainty) { [self] outcome, _ in
      guard case .chosen = outcome else { return }
      ReadingRun(host, key) { [self] outcome, _ in
        if case .chosen(let held, _, _) = outcome { take(held, key, then) }
      }?.start()
    }?.start()
  }

  private func take(_ held: Held?, _ key: Int, tries: Int = 2, _ then: @escaping () -> Void) {
    guard let held else { return then() }
    host.handle(.learn(held.ballot, held.descriptor), key, from: known) { [self] reply in
      switch reply {
      case .answer(.done, _): then()
      case .answer(.lacksBytes, _) where tries > 0:
        var isFetched = false
        Fetch(world, key, held.descriptor.upload, to: host.index, askedBy: host) { [self] in
          if !isFetched { take(held, key, tries: tries - 1, then) }
          isFetched = true
        }.start()
      case .answer(.outbid, _) where tries > 0: settle(key, then)
      default: break
      }
    }
  }
}
