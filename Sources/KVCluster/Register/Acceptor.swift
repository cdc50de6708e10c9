import KVCore

/// How one disk votes about its keys (the acceptor of CASPaxos: Rystsov, "CASPaxos: Replicated State Machines without
/// logs", 2018, section 2.2). It holds what the disk has promised; what it has accepted lies with the values.
///
/// Promises are not written to disk. One number is, the horizon: no ballot whose counter is above it is promised or used,
/// and after a restart none at or below it. That refuses at least all that the promises would have refused.
package struct Acceptor: Hashable, Sendable {
  /// What is to be done, in this order, each durable before the next begins.
  package enum Effect: Hashable, Sendable {
    /// The horizon is written; `raised(to:)` follows.
    case raiseHorizon(UInt64)
    /// The key's file is exchanged, or its attribute alone.
    case store(Held, from: Source)
    /// The floor of the key's group is written.
    case raiseFloor(Ballot)
    /// The key's file is removed.
    case remove
    case answer(RegisterAnswer)
  }

  /// Where the bytes of a value come from.
  package enum Source: Hashable, Sendable {
    /// The staging area, under the upload id.
    case staging
    /// They are in place, or there are none.
    case place
  }

  /// How many keys may have a promise of their own. Those forgotten count for their whole group.
  package static let promisesMax = 4096
  /// How far the horizon is raised at once: at most one sync a second.
  package static let horizonStepMicroseconds: UInt64 = 1_000_000

  private struct Promise: Hashable {
    let ballot: Ballot
    let group: UInt8
  }

  private let rules: Rules
  private let promisesMax: Int
  private let horizonStep: UInt64
  private var horizon: UInt64
  private var highestCounter: UInt64
  private let startFloor: Ballot
  private var promises: [Key: Promise] = [:]
  /// Keys in the order in which they got their promises.
  private var promisedKeys: [Key] = []
  private var groupFloors: [UInt8: Ballot] = [:]
  private var isIll = false

  /// A disk's votes from its start on; `horizon` is what it has written.
  package init(
    horizon: UInt64, rules: Rules = .all, promisesMax: Int = Self.promisesMax,
    horizonStep: UInt64 = Self.horizonStepMicroseconds
  ) {
    self.rules = rules
    self.horizonStep = horizonStep
    self.promisesMax = promisesMax
    self.horizon = horizon
    highestCounter = horizon
    startFloor = rules.contains(.keepsHorizon) ? .last(of: horizon) : .none
  }

  /// The horizon as the disk has it.
  package mutating func raised(to horizon: UInt64) { self.horizon = max(self.horizon, horizon) }

  /// Takes part in nothing at or below a horizon that was written, as a later process would. What a failed sync has left is
  /// as unknown as before.
  package mutating func passOver(_ horizon: UInt64) {
    let wasIll = isIll
    self = Acceptor(horizon: horizon, rules: rules, promisesMax: promisesMax, horizonStep: horizonStep)
    isIll = wasIll
  }

  /// A sync has failed: what the disk has is not known until a restart.
  package mutating func syncFailed() { if rules.contains(.stopsAtFailedSync) { isIll = true } }

  /// The ballot of a round of this disk's own, and what is to be done before it is used.
  package mutating func ballot(
    for member: Member, above highest: Ballot, wallMicroseconds: UInt64
  ) -> (ballot: Ballot, before: [Effect]) {
    let counter = max(wallMicroseconds, highestCounter, highest.counter) + 1
    highestCounter = counter
    return (Ballot(counter: counter, member: member), reach(counter))
  }

  /// A ballot for what this disk decides alone, or nil where the horizon has to be raised first. A clock that is beyond the
  /// horizon is not followed: so nothing waits for a disk as long as somebody raises the horizon in time.
  package mutating func stamp(for member: Member, wallMicroseconds: UInt64) -> Ballot? {
    let counter = wallMicroseconds <= horizon ? max(wallMicroseconds, highestCounter + 1) : highestCounter + 1
    guard counter <= horizon else { return nil }
    highestCounter = counter
    return Ballot(counter: counter, member: member)
  }

  /// A counter was promised or used in another register of the disk.
  package mutating func saw(_ counter: UInt64) { highestCounter = max(highestCounter, counter) }

  /// Whether a round above a ballot was promised for the key.
  package func outbids(_ ballot: Ballot, _ key: Key, group: UInt8) -> Bool {
    (promises[key]?.ballot ?? groupFloors[group] ?? .none) > ballot
  }

  /// Whether a ballot can be promised without anything being written.
  package func canPromiseAtOnce(_ ballot: Ballot) -> Bool { ballot.counter <= horizon }

  /// The highest counter that was promised or used.
  package var highest: UInt64 { highestCounter }

  /// What a request about a key makes the disk do. `testimony` is what it holds, and `isStaged` whether the bytes of the
  /// request's descriptor wait in the staging area.
  package mutating func step(
    _ request: RegisterRequest, _ key: Key, group: UInt8, _ testimony: Testimony, isStaged: Bool
  ) -> [Effect] {
    if isIll { return [.answer(.unable)] }
    switch request {
    case .read: return [.answer(.holds(testimony))]
    case .prepare(let ballot): return prepare(ballot, key, group, testimony)
    case .accept(let ballot, let descriptor): return accept(ballot, descriptor, key, group, testimony, isStaged)
    case .learn(let ballot, let descriptor): return learn(ballot, descriptor, testimony, isStaged)
    case .purge(let ballot): return purge(ballot, key, group, testimony)
    }
  }

  private mutating func prepare(
    _ ballot: Ballot, _ key: Key, _ group: UInt8, _ testimony: Testimony
  ) -> [Effect] {
    let highest = promised(key, group, testimony)
    // The same request may come twice.
    let isRepeated = ballot == highest && ballot == promises[key]?.ballot && ballot > testimony.ballot
    guard ballot > highest || isRepeated else {
      return [.answer(.outbid(highest: highest, accepted: testimony.ballot))]
    }
    promise(ballot, key, group)
    return reach(ballot.counter) + [.answer(.promised(testimony))]
  }

  private mutating func accept(
    _ ballot: Ballot, _ descriptor: Descriptor, _ key: Key, _ group: UInt8, _ testimony: Testimony, _ isStaged: Bool
  ) -> [Effect] {
    // The same request may come twice; refusing the second would say that the first was not taken.
    if ballot == testimony.ballot, rules.contains(.wantsProof) { return [.answer(.done)] }
    let highest = promised(key, group, testimony)
    guard ballot >= highest, ballot > testimony.ballot else {
      // Where nothing is, what was taken may have been forgotten since: that proves no more than the floor does.
      return [.answer(.outbid(highest: highest, accepted: testimony.held?.ballot ?? testimony.floor))]
    }
    guard let store = store(ballot, descriptor, testimony.held, isStaged) ?? bareVote(ballot, descriptor) else {
      return [.answer(.lacksBytes)]
    }
    promise(ballot, key, group)
    return reach(ballot.counter) + [store, .answer(.done)]
  }

  private mutating func learn(
    _ ballot: Ballot, _ descriptor: Descriptor, _ testimony: Testimony, _ isStaged: Bool
  ) -> [Effect] {
    if ballot <= testimony.ballot, !lacks(ballot, testimony.held) { return [.answer(.done)] }
    // It may have been deleted since and forgotten; then again another key of the group may have raised the floor. Only a
    // round can tell.
    if testimony.held == nil, ballot <= testimony.floor, rules.contains(.raisesFloor) {
      return [.answer(.outbid(highest: testimony.floor, accepted: .none))]
    }
    // The promise is not looked at: whoever was promised more has seen, or will see, what is decided.
    guard let store = store(ballot, descriptor, testimony.held, isStaged) else { return [.answer(.lacksBytes)] }
    highestCounter = max(highestCounter, ballot.counter)
    // After a restart the horizon is the floor of what is absent: it must be above all that may be forgotten.
    return reach(ballot.counter) + [store, .answer(.done)]
  }

  private mutating func purge(
    _ ballot: Ballot, _ key: Key, _ group: UInt8, _ testimony: Testimony
  ) -> [Effect] {
    guard let held = testimony.held, held.ballot == ballot, held.descriptor.kind == .deletion else {
      return [.answer(.done)]
    }
    guard rules.contains(.raisesFloor) else {
      promises[key] = nil
      return [.remove, .answer(.done)]
    }
    let floor = Effect.raiseFloor(max(testimony.floor, ballot, promised(key, group, testimony)))
    return (rules.contains(.raisesFloorFirst) ? [floor, .remove] : [.remove, floor]) + [.answer(.done)]
  }

  /// Below this, no round gets anything for the key.
  private func promised(_ key: Key, _ group: UInt8, _ testimony: Testimony) -> Ballot {
    let own = promises[key]?.ballot ?? groupFloors[group] ?? .none
    return max(own, testimony.held?.ballot ?? testimony.floor, startFloor)
  }

  private mutating func promise(_ ballot: Ballot, _ key: Key, _ group: UInt8) {
    highestCounter = max(highestCounter, ballot.counter)
    if promises.updateValue(Promise(ballot: ballot, group: group), forKey: key) == nil {
      promisedKeys.append(key)
      if promisedKeys.count > promisesMax { forgetOldestHalf() }
    }
  }

  /// Half at a time, so that moving up the rest costs each promise but little.
  private mutating func forgetOldestHalf() {
    let count = (promisedKeys.count + 1) / 2
    for key in promisedKeys.prefix(count) {
      guard let forgotten = promises.removeValue(forKey: key), rules.contains(.remembersEvicted) else { continue }
      groupFloors[forgotten.group] = max(groupFloors[forgotten.group] ?? .none, forgotten.ballot)
    }
    promisedKeys.removeFirst(count)
  }

  private func reach(_ counter: UInt64) -> [Effect] {
    counter > horizon ? [.raiseHorizon(counter + horizonStep)] : []
  }

  /// Whether the disk has the vote, but not the bytes.
  private func lacks(_ ballot: Ballot, _ held: Held?) -> Bool {
    guard let held, held.ballot == ballot else { return false }
    return !held.hasBytes
  }

  /// How the descriptor is stored, or nil where its bytes are missing.
  private func store(_ ballot: Ballot, _ descriptor: Descriptor, _ held: Held?, _ isStaged: Bool) -> Effect? {
    let isInPlace = held.map { $0.hasBytes && $0.descriptor.hasBytes(of: descriptor) } ?? false
    if descriptor.kind == .deletion || isInPlace {
      return .store(Held(ballot: ballot, descriptor: descriptor, hasBytes: true), from: .place)
    }
    return isStaged ? .store(Held(ballot: ballot, descriptor: descriptor, hasBytes: true), from: .staging) : nil
  }

  /// A vote for what is not here: against the rules.
  private func bareVote(_ ballot: Ballot, _ descriptor: Descriptor) -> Effect? {
    guard !rules.contains(.acceptsOnlyBytes) else { return nil }
    return .store(Held(ballot: ballot, descriptor: descriptor, hasBytes: false), from: .place)
  }
}
