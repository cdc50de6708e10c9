import KVCluster
import KVCore
import KVHTTP
import KVLinux
import KVStore
import Synchronization

/// Has the owners of a key decide about a write. The first of them that answers runs the round, whoever was asked: rounds of
/// several nodes about one key would outbid each other.
struct Writes: Sendable {
  /// How often a write begins anew because the layout has changed.
  private static let attemptsMax = 100
  /// How long it waits before, for a layout that another owner has heard of first.
  private static let pause = Duration.milliseconds(20)

  /// What is to be written.
  struct Order: Sendable {
    let key: Key
    let descriptor: KVCluster.Descriptor
    /// The bytes, where they are few; else this node has them.
    let content: SmallContent?
    let preconditions: Preconditions
  }

  let layouts: Layouts
  let runner: RoundRunner

  /// Decides about a write of this node's; never answers that the owners are others.
  func decide(_ order: Order) async -> WriteReport {
    var mayBeWritten = false
    for _ in 0..<Self.attemptsMax {
      guard let layout = layouts.known, let own = layouts.current.value.topology.ownMember else { break }
      let report = await decide(order, layout, own, mayBeWritten)
      guard case .moved(let mayBe) = report else { return report }
      mayBeWritten = mayBe
      let wakeup = await IOExecutor.current.wait(until: .after(Self.pause), interruptible: true)
      guard wakeup == .timedOut else { break }
    }
    return mayBeWritten ? .unknown : .notWritten
  }

  /// An owner that gives no answer may have written it all the same; one that could not has not, and nor will it.
  private func decide(_ order: Order, _ layout: Layout, _ own: Member, _ mayBeWritten: Bool) async -> WriteReport {
    var mayBeWritten = mayBeWritten
    var report = WriteReport.moved(mayBeWritten: mayBeWritten)
    for owner in layout.view(of: order.key.slot).voters where !layout.lost.contains(owner) {
      switch await ask(owner, order, layout, own, mayBeWritten) {
      case .report(.notWritten): report = .notWritten
      case .report(let final): return final
      case .notAsked: continue
      case .silence:
        mayBeWritten = true
        report = .unknown
      }
    }
    return report
  }

  private func ask(
    _ owner: Member, _ order: Order, _ layout: Layout, _ own: Member, _ mayBeWritten: Bool
  ) async -> OrderReply {
    if owner == own {
      guard layouts.mayVote else { return .notAsked }
      let bytes = RoundRunner.Bytes(source: own, content: order.content)
      return .report(await run(order, layout, bytes, mayBeWritten: mayBeWritten))
    }
    let cluster = layouts.current.value
    guard let peer = cluster.topology.peer(of: owner), isHeard(owner, layout) else { return .notAsked }
    let asked = WriteOrder(
      epoch: layout.groups[order.key.slot.group].epoch, key: order.key, descriptor: order.descriptor, source: own,
      content: order.content, conditions: order.preconditions.lines, mayBeWritten: mayBeWritten)
    return await runner.calls.peers.order(asked, by: layout.version, of: peer, cluster)
  }

  /// Whether it is worth asking: one that hangs takes connections and answers nothing, and one with another disk has no vote.
  private func isHeard(_ owner: Member, _ layout: Layout) -> Bool {
    layouts.heard.lately().contains { layout.member(of: $0.disk) == owner }
  }

  /// Decides about a write that another owner has received. It must go by the same layout.
  func take(_ order: WriteOrder) async -> NodeAnswer? {
    let group = order.key.slot.group
    guard layouts.mayVote, let layout = layouts.known, layouts.epoch(of: group) == order.epoch,
      let own = layouts.current.value.topology.ownMember, layout.view(of: order.key.slot).hasVoter(own)
    else { return .otherLayout(layouts.known?.version ?? 0) }
    let preconditions: Preconditions
    do throws(HTTPSyntaxError) { preconditions = try Preconditions(lines: order.conditions, now: .now) } catch {
      return nil
    }
    let mine = Order(
      key: order.key, descriptor: order.descriptor, content: order.content, preconditions: preconditions)
    let bytes = RoundRunner.Bytes(source: order.source, content: order.content)
    return .written(await run(mine, layout, bytes, mayBeWritten: order.mayBeWritten))
  }

  /// Nothing is deleted where there is nothing.
  private func run(
    _ order: Order, _ layout: Layout, _ bytes: RoundRunner.Bytes, mayBeWritten: Bool
  ) async -> WriteReport {
    let isDeletion = order.descriptor.kind == .deletion
    let condition = WriteCondition(order.preconditions, for: isDeletion ? .delete : .put)
    let seen = Mutex<Bool?>(nil)
    let purpose = Round.Purpose(write: order.descriptor) { present in
      seen.withLock { $0 = present != nil }
      return (present != nil || !isDeletion) && condition.holds(present)
    }
    let result = await runner.run(purpose, order.key, layout, bytes, mayBeWritten: mayBeWritten)
    switch result.outcome {
    case .chosen(let held?) where held.descriptor.upload != order.descriptor.upload: return .doneBefore
    case .refused(let held?) where order.descriptor.repeats(held.descriptor): return .repeatedOtherwise
    // A deletion is made only where there is a value.
    case .chosen: return .done(existed: isDeletion ? true : seen.withLock { $0 })
    case .refused(let held): return .refused(exists: held?.descriptor.kind == .value)
    case .notWritten: return .notWritten
    case .unknown: return .unknown
    case .moved: return .moved(mayBeWritten: result.mayBeWritten)
    }
  }
}

extension WriteCondition {
  /// Whether it holds for what a key's owners agree on.
  func holds(_ present: KVCluster.Descriptor?) -> Bool {
    let state = present.map { descriptor in
      ValueState(
        checksum: descriptor.checksum,
        modifiedAt: HTTPDate(nanosecondsSince1970: descriptor.committedAtNanoseconds))
    }
    do throws(StoreError) {
      try check(state)
      return true
    } catch {
      return false
    }
  }
}
