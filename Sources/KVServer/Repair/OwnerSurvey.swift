import KVCluster
import KVCore
import KVLinux

/// Asks all owners of a key the same, and waits for all of them, though not for ever.
struct OwnerSurvey: Sendable {
  let runner: RoundRunner

  /// What each of them answered. Whoever has not in time is silent, and its answer is none.
  func ask(
    _ request: RegisterRequest, _ key: Key, of members: [Member], _ layout: Layout
  ) async -> [Member: RegisterCalls.Reply] {
    let (answers, teller) = AsyncStream.makeStream(of: (Member, RegisterCalls.Reply)?.self)
    return await withTaskGroup { timers in
      defer { timers.cancelAll() }
      for member in members {
        let isTaken = runner.errands.take(about: member) { [calls = runner.calls] in
          teller.yield((member, await calls.ask(request, key, of: member, layout, source: nil)))
        }
        if !isTaken { teller.yield((member, .silence)) }
      }
      let timeout = runner.calls.layouts.current.value.limits.connectTimeout
      timers.addTask(executorPreference: runner.network) {
        guard await IOExecutor.current.wait(until: .after(timeout)) == .timedOut else { return }
        teller.yield(nil)
      }
      var replies = Dictionary(uniqueKeysWithValues: members.map { ($0, RegisterCalls.Reply.silence) })
      var waitingFor = Set(members)
      for await answer in answers {
        guard let (member, reply) = answer else { break }
        replies[member] = reply
        waitingFor.remove(member)
        if waitingFor.isEmpty { break }
      }
      return replies
    }
  }
}

/// What the owners of a key hold, all of them that could be asked.
struct OwnersReading: Sendable {
  let outcome: Reading.Outcome
  /// The deletion that all of them hold.
  let deletionOfAll: Ballot?
  /// What is held at the highest ballot, decided or not.
  let highest: Held?
  /// Those that gave no answer that says anything.
  let silent: [Member]
  private let held: [Member: Held]

  /// Nil where one of them goes by another layout.
  init?(_ view: View, _ replies: [Member: RegisterCalls.Reply]) {
    var reading = Reading(view, waitsForAll: true)
    var silent: [Member] = []
    var held: [Member: Held] = [:]
    for member in reading.asked {
      switch replies[member] {
      case .answer(.holds(let testimony), let disk):
        _ = reading.take(.holds(testimony), asked: member, member: disk)
        held[disk] = testimony.held
        if disk != member { silent.append(member) }
      case .otherLayout: return nil
      default: silent.append(member)
      }
    }
    outcome = reading.end()
    (deletionOfAll, highest, self.silent, self.held) = (reading.deletionOfAll, reading.highest, silent, held)
  }

  /// What a member holds.
  func held(by member: Member) -> Held? { held[member] }

  /// Those that hold the same, with its bytes.
  func holders(of ballot: Ballot) -> [Member] {
    held.filter { $0.value.ballot == ballot && $0.value.hasBytes }.map(\.key).sorted()
  }
}
