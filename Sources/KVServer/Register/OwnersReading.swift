import KVCluster
import KVCore
import KVLinux

extension RoundRunner {
  /// How long those who are asked first may take before the other owners are asked as well.
  private static let patience = Duration.milliseconds(20)

  /// Asks the owners of a key what they hold: as many as may be enough, and all where these do not agree, or take their
  /// time. Nil where another layout is in force, or may be in a moment.
  func read(_ key: Key, _ layout: Layout) async -> Reading.Outcome? {
    let view = layout.view(of: key.slot)
    var reading = Reading(view)
    let (replies, teller) = AsyncStream.makeStream(of: ReadNews.self)
    return await withTaskGroup { timers in
      defer { timers.cancelAll() }
      var (asked, others) = firstAsked(view)
      for member in asked { ask(key, member, layout, teller) }
      limit(hasOthers: !others.isEmpty, teller, &timers)
      var (replyCount, hasAside) = (0, false)
      for await news in replies {
        switch news {
        case .reply(.otherLayout, _): return nil
        case .reply(let reply, let member):
          replyCount += 1
          if case .aside = reply { hasAside = true }
          let saysNothing = if case .answer = reply { false } else { true }
          if let outcome = reading.take(reply, of: member) {
            if case .chosen(_, _, let behind) = outcome, let member = behind.first { missed.note(key, at: member) }
            return outcome == .unavailable && hasAside ? nil : outcome
          }
          if !saysNothing, replyCount < asked.count { continue }
        case .slow: break
        case .timedOut: return reading.end()
        }
        for member in others { ask(key, member, layout, teller) }
        (asked, others) = (asked + others, [])
      }
      return reading.end()
    }
  }

  /// Who is asked at first: this node's own disk and the owners after it, as many as are more than half.
  private func firstAsked(_ view: View) -> (asked: [Member], others: [Member]) {
    let voters = view.voters
    guard !view.isMoving, let own = calls.layouts.current.value.topology.ownMember,
      let index = voters.firstIndex(of: own)
    else { return (voters, []) }
    let inTurn = Array(voters[index...] + voters[..<index])
    let count = voters.count / 2 + 1
    return (Array(inTurn.prefix(count)), Array(inTurn.dropFirst(count)))
  }

  /// What happened to a question, or that time has passed.
  private enum ReadNews: Sendable {
    case reply(RegisterCalls.Reply, of: Member)
    /// Others are asked as well.
    case slow
    case timedOut
  }

  /// Asks a member, whose answer may come when nobody waits for it any more.
  private func ask(_ key: Key, _ member: Member, _ layout: Layout, _ teller: AsyncStream<ReadNews>.Continuation) {
    let question = ReadQuestion(epoch: layout.groups[key.slot.group].epoch, key: key)
    let calls = calls
    batches.ask(question, of: member) {
      await calls.ask($0, of: member)
    } _: { answer in
      switch answer {
      case .busy: askAlone(key, member, layout, teller)
      case .register(let answer, let member): teller.yield(.reply(.answer(answer, member: member), of: member))
      case .otherLayout(let version):
        teller.yield(.reply(version > layout.version ? .otherLayout : .aside, of: member))
      case nil: teller.yield(.reply(.silence, of: member))
      }
    }
  }

  private func askAlone(_ key: Key, _ member: Member, _ layout: Layout, _ teller: AsyncStream<ReadNews>.Continuation) {
    let isTaken = errands.take(about: member) {
      teller.yield(.reply(await calls.ask(.read, key, of: member, layout, source: nil), of: member))
    }
    if !isTaken { teller.yield(.reply(.silence, of: member)) }
  }

  private func limit(
    hasOthers: Bool, _ teller: AsyncStream<ReadNews>.Continuation, _ timers: inout TaskGroup<Void>
  ) {
    let timeout = calls.layouts.current.value.limits.connectTimeout
    timers.addTask(executorPreference: network) {
      if hasOthers {
        guard await IOExecutor.current.wait(until: .after(Self.patience)) == .timedOut else { return }
        teller.yield(.slow)
      }
      guard await IOExecutor.current.wait(until: .after(timeout)) == .timedOut else { return }
      teller.yield(.timedOut)
    }
  }
}

extension Reading {
  /// Takes what came of asking one owner; nil while more may come.
  fileprivate mutating func take(_ reply: RegisterCalls.Reply, of asked: Member) -> Outcome? {
    guard case .answer(let answer, let member) = reply else { return take(.unable, asked: asked, member: asked) }
    return take(answer, asked: asked, member: member)
  }
}
