import KVCluster
import KVCore
import KVLinux
import KVStore

/// Why something that moves is not here yet.
struct MoveObstacle: Error {
  /// Nil where it passes by itself.
  let text: String?
}

/// Brings this node up to what the owners of a key have decided.
struct KeyMover: Sendable {
  private static let attemptsMax = 5
  /// Several new owners may settle one key: they do not go on in step.
  private static let pauseMilliseconds = 20

  let calls: RegisterCalls
  let runner: RoundRunner
  let pace: MovePace
  let metrics: Metrics

  /// What is decided about a key, and who may have its bytes.
  private struct Decision {
    let held: HeldKey
    let holders: [Member]
  }

  /// Does what a survey has found to be done.
  func take(_ finding: GroupSurvey.Finding, _ layout: Layout) async throws(MoveObstacle) {
    let key: Key
    var decision: Decision?
    switch finding {
    case .decided(let held, let holders): (key, decision) = (held.key, Decision(held: held, holders: holders))
    case .unsettled(let unsettled): (key, decision) = (unsettled, try await settle(unsettled, layout))
    }
    for _ in 0..<Self.attemptsMax {
      guard let known = decision else { return }
      if try await learn(known.held, from: known.holders, layout) { return }
      try checkSpace(for: known.held)
      decision = try await settle(key, layout)
    }
    throw MoveObstacle(text: "the bytes of '\(key)' are not to be had")
  }

  /// Has the disk here learn what is decided; its bytes come before: whoever wants to write the key meanwhile does not wait
  /// for them. False where only a round can tell, or the bytes cannot be had from those who have them.
  private func learn(_ held: HeldKey, from holders: [Member], _ layout: Layout) async throws(MoveObstacle) -> Bool {
    let own = calls.layouts.current.value.topology.ownMember
    // Whoever comes first is not asked for everything.
    let sources = holders.filter { $0 != own && !layout.lost.contains($0) }.shuffled()
    let (arrived, source) = await calls.bring(held, from: sources, pace)
    if case .current = arrived { return true }
    defer { calls.store.dropUpload(held.descriptor.upload, of: held.key) }
    let question = RegisterQuestion(
      version: layout.version, epoch: layout.groups[held.key.slot.group].epoch, key: held.key,
      request: .learn(held.ballot, held.descriptor), source: source)
    switch await calls.take(question) {
    case .register(.done, _):
      if arrived == .fetched { metrics.countMovedValue() }
      return true
    // It was written meanwhile, or so much was forgotten here that only a round can tell.
    case .register(.outbid, _), .register(.lacksBytes, _): return false
    case .register: throw MoveObstacle(text: "this node's store does not take '\(held.key)'")
    default: throw MoveObstacle(text: nil)
    }
  }

  /// Makes certain what is decided, and reads that: the round's quorum may be without this node. Nil where there is nothing.
  private func settle(_ key: Key, _ layout: Layout) async throws(MoveObstacle) -> Decision? {
    for attempt in 1...Self.attemptsMax {
      switch await runner.run(.certainty, key, layout).outcome {
      case .chosen:
        switch await runner.read(key, layout) {
        case .chosen(nil, _, _)?: return nil
        case .chosen(let held?, let holders, _)?:
          return Decision(
            held: HeldKey(key: key, ballot: held.ballot, descriptor: held.descriptor), holders: holders)
        // Somebody has written since.
        case .unsettled?, .unavailable?: break
        case nil: throw MoveObstacle(text: nil)
        }
      case .moved: throw MoveObstacle(text: nil)
      case .refused, .notWritten, .unknown: break
      }
      let most = Self.pauseMilliseconds * attempt
      guard await IOExecutor.current.wait(until: .after(.milliseconds(Int.random(in: 1...most)))) == .timedOut else {
        throw MoveObstacle(text: nil)
      }
    }
    throw MoveObstacle(text: "the owners of '\(key)' do not come to a decision")
  }

  private func checkSpace(for held: HeldKey) throws(MoveObstacle) {
    do throws(StoreError) { try calls.store.checkSpace(for: held.descriptor.valueBytes) } catch {
      throw MoveObstacle(text: error.reason)
    }
  }
}
